#include "cli/config/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {
namespace {

void set_presence(CLI::Option& option, Presence presence) {
  if (presence == Presence::required) option.required();
  if (presence == Presence::hidden) option.group("");
}

using Words = std::vector<std::string>;

// The short options in one word ("-qtNAME"): true when the last of them takes its value from the next word.
bool letters_take_next(const CLI::App& app, const std::string& word) {
  for (std::size_t i = 1; i < word.size(); ++i) {
    const auto* option = app.get_option_no_throw("-" + word.substr(i, 1));
    if (option != nullptr && option->get_expected_min() > 0) return i + 1 == word.size();
  }
  return false;
}

bool takes_next(const CLI::App& app, const std::string& word) {
  if (!word.starts_with("--")) return letters_take_next(app, word);
  const auto* option = word.find('=') == std::string::npos ? app.get_option_no_throw(word) : nullptr;
  return option != nullptr && option->get_expected_min() > 0;
}

// The position of the first word that is neither a flag nor the value of one; the number of words where there is none.
std::size_t first_plain_word(const CLI::App& app, const Words& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    if (word == "--") return std::min(i + 1, words.size());
    if (word.size() < 2 || word[0] != '-') return i;
    if (takes_next(app, word)) ++i;
  }
  return words.size();
}

bool is_command(const CLI::App& app, const std::string& word) {
  const auto commands = app.get_subcommands({});
  return std::ranges::any_of(commands, [&](const CLI::App* command) { return command->check_name(word); });
}

// What may stand for a context: standard input, an address, a path, or a name that is there.
bool may_be_context(const std::string& word) {
  std::error_code ignored;
  return word.empty() || word == "-" || word.find_first_of("/:.") != std::string::npos ||
         std::filesystem::exists(word, ignored);
}

bool is_own_flag(const CLI::App& app, const std::string& word) { return app.get_option_no_throw(word) != nullptr; }

// The words with the command first. Without one they are those of `implied`: people type `mbuild --platform P .`.
Words with_command(const CLI::App& app, const std::string& implied, Words words) {
  if (words.empty() || is_own_flag(app, words[0])) return words;
  const std::size_t first = first_plain_word(*app.get_subcommand(implied), words);
  if (first < words.size() && is_command(app, words[first])) {
    std::rotate(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(first),
                words.begin() + static_cast<std::ptrdiff_t>(first) + 1);
    return words;
  }
  if (first < words.size() && !may_be_context(words[first])) {
    Words names;
    for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
    throw usage_error(fmt::format("\"{}\" is neither a command nor a directory to build from{}", words[first],
                                  did_you_mean(words[first], names)))
        .with_advice("mbuild --help lists the commands; `mbuild [OPTIONS] CONTEXT` builds.");
  }
  words.insert(words.begin(), implied);
  return words;
}

// The flags that nothing knows, with what was probably meant; CLI11 says only that it did not expect them.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  Words known = {"--version", "--help"};
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

Command& Command::flag(const std::string& names, std::optional<bool>& into, const std::string& help) {
  app_->add_flag_function(names, [&into](std::int64_t count) { into = count > 0; }, help)->take_last();
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

Command& Command::rest(std::vector<std::string>& into) {
  app_->prefix_command();
  app_->set_help_flag("--help", "Print this help message and exit");
  rest_ = &into;
  return *this;
}

void Command::run(std::function<int()> action) {
  app_->callback([action = std::move(action), status = status_, app = app_, rest = rest_] {
    if (rest != nullptr) {
      *rest = app->remaining();
      // A flag that nothing knows ends the flags, too.
      if (!rest->empty() && rest->front().size() > 1 && rest->front().starts_with('-')) {
        throw CLI::ExtrasError(app->get_name(), *rest);
      }
    }
    *status = action();
  });
}

bool Command::chosen() const { return app_->parsed(); }

int run_command_line(const Program& program, std::vector<std::string> words) {
  CLI::App app(program.about, program.name);
  app.set_version_flag("--version", program.version);
  app.require_subcommand(1);
  int status = 0;
  Command top(app, status);
  program.add(top);
  words = with_command(app, program.implied_command, std::move(words));
  const auto own_status = program.statuses.find(words.empty() ? "" : words.front());
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    app.parse(words);
  } catch (const CLI::Success& answer) {
    std::ostringstream text;
    const int code = app.exit(answer, text, text);
    write_out(text.str());
    return code;
  } catch (const CLI::ParseError& error) {
    say("ERROR: {}\n       {} --help lists the commands and flags.\n", usage_message(app, error), program.name);
    return own_status == program.statuses.end() ? static_cast<int>(ExitClass::usage) : own_status->second;
  }
  return status;
}

}  // namespace mbuild::cli
