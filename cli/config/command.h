#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/config/about.h"

namespace CLI {
class App;
}

// What commands use of CLI11, which takes seconds to compile: command.cc alone includes it.
namespace mbuild::cli {

enum class Presence { optional, required, hidden };  // hidden: accepted, and not in the help

// A command and its options. Names are CLI11's, and what the help calls the value: "-f,--file=PATH", "context=DIR" for
// a positional one, "!--no-x" for a flag's opposite. The variables must live until the command has run. All return the
// command.
class Command {
 public:
  // What of the commands that are added is needed: of all the options of one, `wanted`, or of all ("") of them. The
  // other commands have their places in the list of commands, or (`alone`) not even these. `words`: long options that
  // are in none of them are not needed either; null: all are.
  struct Needed {
    std::string wanted = {};
    bool alone = false;
    const std::vector<std::string>* words = nullptr;
    std::vector<std::function<void()>>* notes = nullptr;  // where what is to be said before the action is gathered
  };
  Command(CLI::App& app, int& status, Needed needed) : app_(&app), status_(&status), needed_(std::move(needed)) {}

  Command add(const std::string& name, const std::string& help, const std::string& alias = "");
  // At least one of the commands that were added is to be named; flags of this one may follow it.
  void require_subcommand();
  void share_flags();

  // Given twice, the last one counts.
  Command& value(const std::string& names, std::string& into, const std::string& help,
                 Presence presence = Presence::optional);
  Command& number(const std::string& names, unsigned& into, const std::string& help);
  Command& flag(const std::string& names, bool& into, const std::string& help);
  // Left empty where it is not given; "--flag=false" is false.
  Command& flag(const std::string& names, std::optional<bool>& into, const std::string& help);
  // One each time the option is given; a positional one takes several. `separator`: splits each further.
  Command& values(const std::string& names, std::vector<std::string>& into, const std::string& help,
                  Presence presence = Presence::optional, char separator = '\0');
  // What follows the first word that is no flag, that word included, is taken as it is; the help calls it `shown`.
  // Before flags and examples are added: -h is free for a flag.
  Command& rest(std::vector<std::string>& into, const std::string& shown);
  // Hidden options without a meaning here: where one is given and the words are right, `note` is called, in time for
  // the action of the command.
  Command& unused_value(const std::string& names, std::function<void()> note);
  Command& unused_flag(const std::string& names, std::function<void()> note);

  // Not in the list of commands.
  Command& hide();
  // Of its commands, those that are in the list of them without a description.
  void minor(const std::vector<std::string>& names);
  // The heading of the options that follow, in the help.
  Command& group(const std::string& heading);
  Command& examples(const std::vector<Example>& shown);
  // This command and all below it.
  CommandAbout about() const;

  // What the command does; its result is the status of the program.
  void run(std::function<int()> action);
  bool chosen() const;

 private:
  bool is_needed(const std::string& names) const;

  CLI::App* app_;  // null below a command that is no more than a name
  int* status_;
  Needed needed_;
  bool is_name_ = false;  // it has its place in the list of commands at most, and no options
  std::vector<std::string>* rest_ = nullptr;
  std::string group_ = "Options";
};

struct Program {
  std::string name, version, about;
  // Each adds some of the commands; those that people use most come first.
  std::vector<std::function<void(Command&)>> add;
  std::string implied_command;                     // whose flags and context a command line without a command has
  std::vector<std::string> never_suggested = {};   // commands that nobody is to run by mistake
  std::function<void(Command&)> add_to_each = {};  // flags that every command has
  std::vector<std::string> of_all = {};            // commands that tell of all others
  std::map<std::string, int> statuses = {};        // of a wrong command line, for commands that have not the usual one
};

// Runs the command that the words (those after the program's name) say, and returns the status of the program. A first
// word that is a command's name means the command, whatever else is called so.
int run_command_line(const Program& program, std::vector<std::string> words);

}  // namespace mbuild::cli
