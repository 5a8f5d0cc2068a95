#include "cli/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::cli {
namespace {

void set_presence(CLI::Option& option, Presence presence) {
  if (presence == Presence::required) option.required();
  if (presence == Presence::hidden) option.group("");
}

// An unknown first word, or the flags that nothing knows, with what was probably meant; CLI11 says only that it did not
// expect them.
std::string usage_message(const CLI::App& app, int argc, char** argv, const CLI::ParseError& error) {
  std::vector<std::string> known;
  for (const auto* command : app.get_subcommands({})) known.push_back(command->get_name());
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands().empty()) {
    return fmt::format("unknown command \"{}\"{}", argv[1], did_you_mean(argv[1], known));
  }
  known.clear();
  for (const auto* command : app.get_subcommands()) {
    for (const auto* option : command->get_options()) {
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    }
    for (const auto& word : command->remaining()) {
      const std::string flag = word.substr(0, word.find('='));
      if (flag.starts_with("-")) return fmt::format("unknown flag: {}{}", flag, did_you_mean(flag, known));
    }
  }
  return error.what();
}

}  // namespace

Command Command::add(const std::string& name, const std::string& help, const std::string& alias) {
  CLI::App* command = app_->add_subcommand(name, help);
  if (!alias.empty()) command->alias(alias);
  return {*command, *status_};
}

void Command::require_subcommand() { app_->require_subcommand(1); }

void Command::share_flags() {
  for (CLI::App* command : app_->get_subcommands({})) command->fallthrough();
}

Command& Command::value(const std::string& names, std::string& into, const std::string& help, Presence presence) {
  auto* option = app_->add_option(names, into, help);
  if (!option->get_positional()) option->take_last();
  set_presence(*option, presence);
  return *this;
}

Command& Command::number(const std::string& names, unsigned& into, const std::string& help) {
  app_->add_option(names, into, help)->take_last();
  return *this;
}

Command& Command::flag(const std::string& names, bool& into, const std::string& help) {
  app_->add_flag(names, into, help)->take_last();
  return *this;
}

Command& Command::values(const std::string& names, std::vector<std::string>& into, const std::string& help,
                         Presence presence, char separator) {
  auto* option = app_->add_option(names, into, help);
  if (!option->get_positional()) option->allow_extra_args(false);  // "-t a CONTEXT": one value a flag
  if (separator != '\0') option->delimiter(separator);
  set_presence(*option, presence);
  return *this;
}

Command& Command::unused_value(const std::string& names, std::function<void()> note) {
  app_->add_option_function<std::string>(names, [note](const std::string&) { note(); })->take_last()->group("");
  return *this;
}

Command& Command::unused_flag(const std::string& names, std::function<void()> note) {
  app_->add_flag_function(names, [note](std::int64_t) { note(); })->take_last()->group("");
  return *this;
}

void Command::run(std::function<int()> action) {
  app_->callback([action = std::move(action), status = status_] { *status = action(); });
}

bool Command::chosen() const { return app_->parsed(); }

int run_command_line(int argc, char** argv, const std::string& version, const std::function<void(Command&)>& add) {
  CLI::App app("mbuild builds images for several platforms from a Dockerfile.", "mbuild");
  app.set_version_flag("--version", version);
  app.require_subcommand(1);
  int status = 0;
  Command top(app, status);
  add(top);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answer) {
    return app.exit(answer);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "ERROR: {}\n       mbuild --help lists the commands and flags.\n",
               usage_message(app, argc, argv, error));
    return static_cast<int>(ExitClass::usage);
  }
  return status;
}

}  // namespace mbuild::cli
