#include "cli/config/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/bool_word.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/config/docker_words.h"
#include "cli/config/help.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {
namespace {

constexpr const char* k_minor = "Also";  // group of commands

struct Named {
  std::string names, placeholder;
};

// "-f,--file=PATH" in its two parts.
Named named(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) return {text, "VALUE"};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void set_presence(CLI::Option& option, Presence presence) {
  if (presence == Presence::required) option.required();
  if (presence == Presence::hidden) option.group("");
}

using Words = std::vector<std::string>;
using Notes = std::vector<std::function<void()>>;

const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
  const auto* option = app.get_option_no_throw(name);
  if (option == nullptr && app.get_fallthrough() && app.get_parent() != nullptr)
    return find_option(*app.get_parent(), name);
  return option;
}

bool takes_value(const CLI::Option* option) { return option != nullptr && option->get_expected_min() > 0; }

// The short options in one word ("-qtNAME"): true when the last of them takes its value from the next word.
bool letters_take_next(const CLI::App& app, const std::string& word) {
  for (std::size_t i = 1; i < word.size(); ++i) {
    if (takes_value(find_option(app, "-" + word.substr(i, 1)))) return i + 1 == word.size();
  }
  return false;
}

bool takes_next(const CLI::App& app, const std::string& word) {
  if (!word.starts_with("--")) return letters_take_next(app, word);
  return word.find('=') == std::string::npos && takes_value(find_option(app, word));
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

const CLI::App* command_of(const CLI::App& app, const std::string& word) {
  const auto commands = app.get_subcommands({});
  const auto found = std::ranges::find_if(commands, [&](const CLI::App* one) { return one->check_name(word); });
  return found == commands.end() ? nullptr : *found;
}

bool is_command(const CLI::App& app, const std::string& word) { return command_of(app, word) != nullptr; }

// What may stand for a context: standard input, an address, a path, or a name that is there.
bool may_be_context(const std::string& word) {
  std::error_code ignored;
  return word.empty() || word == "-" || word.find_first_of("/:.") != std::string::npos ||
         std::filesystem::exists(word, ignored);
}

bool is_own_flag(const CLI::App& app, const std::string& word) { return app.get_option_no_throw(word) != nullptr; }

Error unknown_command(const CLI::App& app, const Program& program, const std::string& word) {
  const auto advice = advice_for_docker_word(word);
  Words names;
  for (const auto* command : app.get_subcommands({})) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  for (const auto& name : program.never_suggested) std::erase(names, name);
  return usage_error(fmt::format("\"{}\" is neither a command nor a directory to build from{}", word,
                                 advice.empty() ? did_you_mean(word, names) : ""))
      .with_advice(advice.empty() ? "mbuild --help lists the commands; `mbuild [OPTIONS] CONTEXT` builds." : advice);
}

// The words with the command first. Without one they are those of `implied`: people type `mbuild --platform P .`.
Words with_command(const CLI::App& app, const Program& program, Words words) {
  if (words.empty() || is_own_flag(app, words[0]) || is_command(app, words[0])) return words;
  const std::size_t first = first_plain_word(*app.get_subcommand(program.implied_command), words);
  if (first < words.size() && is_command(app, words[first])) {
    std::rotate(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(first),
                words.begin() + static_cast<std::ptrdiff_t>(first) + 1);
    return words;
  }
  if (first < words.size() && !may_be_context(words[first])) {
    throw unknown_command(app, program, words[first]);
  }
  words.insert(words.begin(), program.implied_command);
  return words;
}

// "--name=" as the two words that it is short for. A flag of yes and no has no other value, an empty one neither: taken
// for a yes, a variable that is not set would turn it on.
Words split_empty_value(const CLI::App& app, const std::string& word) {
  const auto equals = word.find('=');
  if (!word.starts_with("--") || equals == std::string::npos) return {word};
  const std::string name = word.substr(0, equals), value = word.substr(equals + 1);
  const auto* option = find_option(app, name);
  if (option == nullptr) return {word};
  if (takes_value(option)) return value.empty() ? Words{name, ""} : Words{word};
  if (bool_word(value)) return {word};
  throw CLI::ConversionError(fmt::format("invalid argument \"{}\" for \"{}\" flag: it is true or false", value, name));
}

// "-f=FILE" as "-fFILE", and "-qf=FILE" likewise.
std::string without_equals(const CLI::App& app, std::string word) {
  for (std::size_t i = 1; i + 2 < word.size(); ++i) {
    const auto* option = find_option(app, "-" + word.substr(i, 1));
    if (option == nullptr) return word;
    if (!takes_value(option)) continue;
    if (word[i + 1] == '=') word.erase(i + 1, 1);
    return word;
  }
  return word;
}

// Of several positional words CLI11 takes "[a,b]" for two. Behind a zero byte, which no word has, it takes it as it is.
std::string kept_whole(const std::string& word) {
  return word.starts_with('[') && word.ends_with(']') ? '\0' + word : word;
}

std::string as_typed(const std::string& word) { return word.starts_with('\0') ? word.substr(1) : word; }

// The words with values where CLI11 looks for them.
Words with_plain_values(const CLI::App& program, const Words& words) {
  const CLI::App* app = &program;
  Words plain;
  bool only_plain = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    const bool is_flag = word.size() > 1 && word[0] == '-';
    only_plain = only_plain || word == "--";
    if (!is_flag && app->get_prefix_command()) {
      plain.insert(plain.end(), words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
      break;
    }
    if (is_flag && !only_plain) {
      for (auto& part : split_empty_value(*app, word.starts_with("--") ? word : without_equals(*app, word)))
        plain.push_back(std::move(part));
      if (takes_next(*app, word) && i + 1 < words.size()) plain.push_back(words[++i]);
      continue;
    }
    plain.push_back(kept_whole(word));
    if (const auto* command = command_of(*app, word)) app = command;
  }
  return plain;
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
      if (!command->get_subcommands({}).empty() && command->get_subcommands().empty()) {
        return fmt::format("{} has no command \"{}\"", command->get_name(), word);
      }
    }
  }
  std::string message = error.what();
  std::erase(message, '\0');  // of words that were kept whole
  return message;
}

}  // namespace

Command Command::add(const std::string& name, const std::string& help, const std::string& alias) {
  Command out = *this;
  out.rest_ = nullptr;
  out.group_ = "Options";
  const auto& wanted = needed_.wanted;
  out.needed_ = {.words = needed_.words, .notes = needed_.notes};
  out.is_name_ = is_name_ || (!wanted.empty() && wanted != name && wanted != alias);
  if (is_name_ || (out.is_name_ && needed_.alone)) {
    out.app_ = nullptr;
    return out;
  }
  out.app_ = app_->add_subcommand(name, help);
  out.app_->footer("");  // not its parent's
  if (!alias.empty()) out.app_->alias(alias);
  return out;
}

void Command::require_subcommand() {
  if (!is_name_) app_->require_subcommand(1);
}

void Command::share_flags() {
  if (is_name_) return;
  for (CLI::App* command : app_->get_subcommands({})) command->fallthrough();
}

// Of one that has a letter, or is no option, nothing is known by looking at the words.
bool Command::is_needed(const std::string& names) const {
  if (is_name_) return false;
  if (needed_.words == nullptr) return true;
  return std::ranges::any_of(split(names.substr(0, names.find('=')), ','), [&](std::string_view name) {
    if (name.starts_with('!')) name.remove_prefix(1);
    if (!name.starts_with("--")) return true;
    return std::ranges::any_of(*needed_.words, [&](const auto& word) { return word.starts_with(name); });
  });
}

Command& Command::value(const std::string& names, std::string& into, const std::string& help, Presence presence) {
  if (is_name_ || (presence != Presence::required && !is_needed(names))) return *this;
  const auto [all, placeholder] = named(names);
  const auto take = [&into](const Words& words) { return into = as_typed(words.back()), true; };
  auto* option = app_->add_option(all, take, help)->type_name(placeholder)->group(group_);
  if (!option->get_positional()) option->take_last();
  set_presence(*option, presence);
  return *this;
}

Command& Command::number(const std::string& names, unsigned& into, const std::string& help) {
  if (!is_needed(names)) return *this;
  const auto [all, placeholder] = named(names);
  app_->add_option(all, into, help)->take_last()->type_name(placeholder)->group(group_);
  return *this;
}

Command& Command::flag(const std::string& names, bool& into, const std::string& help) {
  if (!is_needed(names)) return *this;
  app_->add_flag(names, into, help)->take_last()->group(group_);
  return *this;
}

Command& Command::flag(const std::string& names, std::optional<bool>& into, const std::string& help) {
  if (!is_needed(names)) return *this;
  app_->add_flag_function(names, [&into](std::int64_t count) { into = count > 0; }, help)->take_last()->group(group_);
  return *this;
}

Command& Command::values(const std::string& names, std::vector<std::string>& into, const std::string& help,
                         Presence presence, char separator) {
  if (is_name_ || (presence != Presence::required && !is_needed(names))) return *this;
  const auto [all, placeholder] = named(names);
  const auto take = [&into](const Words& words) {
    into.clear();
    std::ranges::transform(words, std::back_inserter(into), as_typed);
    return true;
  };
  auto* option = app_->add_option(all, take, help)->type_name(placeholder)->group(group_);
  option->expected(CLI::detail::expected_max_vector_size);
  if (!option->get_positional()) option->allow_extra_args(false);  // "-t a CONTEXT": one value a flag
  if (separator != '\0') option->delimiter(separator);
  set_presence(*option, presence);
  return *this;
}

Command& Command::unused_value(const std::string& names, std::function<void()> note) {
  if (!is_needed(names)) return *this;
  const auto later = [note = std::move(note), notes = needed_.notes](const std::string&) { notes->push_back(note); };
  app_->add_option_function<std::string>(names, later)->take_last()->group("");
  return *this;
}

Command& Command::unused_flag(const std::string& names, std::function<void()> note) {
  if (!is_needed(names)) return *this;
  const auto later = [note = std::move(note), notes = needed_.notes](std::int64_t) { notes->push_back(note); };
  app_->add_flag_function(names, later)->take_last()->group("");
  return *this;
}

Command& Command::rest(std::vector<std::string>& into, const std::string& shown) {
  if (is_name_) return *this;
  app_->prefix_command();
  app_->footer(shown);
  app_->set_help_flag("--help", "Print this help message and exit");
  rest_ = &into;
  return *this;
}

Command& Command::group(const std::string& heading) {
  group_ = heading;
  return *this;
}

// Kept as lines of the footer: the command, and what it does; the last line is for the rest.
Command& Command::examples(const std::vector<Example>& shown) {
  if (is_name_) return *this;
  std::string footer;
  for (const auto& example : shown) footer += example.command + "\n" + example.meaning + "\n";
  app_->footer(footer + app_->get_footer());
  return *this;
}

void Command::minor(const std::vector<std::string>& names) {
  if (is_name_ || needed_.alone) return;
  for (const auto& name : names) app_->get_subcommand(name)->group(k_minor);
}

Command& Command::hide() {
  if (app_ != nullptr) app_->group("");
  return *this;
}

void Command::run(std::function<int()> action) {
  if (is_name_) return;
  app_->callback([action = std::move(action), status = status_, app = app_, rest = rest_, notes = needed_.notes] {
    if (rest != nullptr) {
      *rest = app->remaining();
      // A flag that nothing knows ends the flags, too.
      if (!rest->empty() && rest->front().size() > 1 && rest->front().starts_with('-')) {
        throw CLI::ExtrasError(app->get_name(), *rest);
      }
    }
    for (const auto& note : *notes) note();
    *status = action();
  });
}

bool Command::chosen() const { return !is_name_ && app_->parsed(); }

namespace {

OptionAbout about_option(const CLI::Option& option) {
  OptionAbout about;
  about.help = option.get_description();
  about.group = option.get_group();
  about.positional = option.get_positional();
  about.required = option.get_required();
  about.several = option.get_items_expected_max() > 1;
  for (const auto& name : option.get_snames()) about.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) about.names.push_back("--" + name);
  if (about.names.empty()) about.names.push_back(option.get_single_name());
  if (option.get_expected_min() > 0) about.placeholder = option.get_type_name();
  return about;
}

CommandAbout about_command(const CLI::App& app, const std::string& before) {
  CommandAbout about;
  about.name = before + app.get_name();
  about.help = app.get_description();
  about.minor = app.get_group() == k_minor;
  const auto lines = split(app.get_footer(), '\n');
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) about.examples.push_back({lines[i], lines[i + 1]});
  about.rest = lines.back();
  const auto* help = app.get_help_ptr();
  for (const auto* option : app.get_options()) {
    if (option != help && !option->get_group().empty()) about.options.push_back(about_option(*option));
  }
  if (help != nullptr) {
    about.options.push_back(about_option(*help));
    about.options.back().help = "Print this help";
    if (about.options.size() > 1) about.options.back().group = about.options[about.options.size() - 2].group;
  }
  for (const auto* command : app.get_subcommands({})) {
    if (!command->get_group().empty()) about.commands.push_back(about_command(*command, about.name + " "));
  }
  return about;
}

// The command that the words came to, and the name of those above it.
std::string help_of(const CLI::App& program) {
  const CLI::App* app = &program;
  std::string before;
  for (auto below = app->get_subcommands(); !below.empty(); below = app->get_subcommands()) {
    before += app->get_name() + " ";
    app = below.front();
  }
  return help_text(about_command(*app, before), help_columns());
}

// `program help build` is `program build --help`, and no word at all asks for help too.
Words with_help(Words words) {
  if (words.empty()) return {"--help"};
  if (words.front() != "help") return words;
  words.erase(words.begin());
  words.emplace_back("--help");
  return words;
}

// To all commands below, or to the wanted one.
void add_to_each(CLI::App& app, int& status, const Command::Needed& needed, const std::function<void(Command&)>& add) {
  for (CLI::App* command : app.get_subcommands({})) {
    if (!needed.wanted.empty() && !command->check_name(needed.wanted)) continue;
    const Command::Needed below{.words = needed.words, .notes = needed.notes};
    Command each(*command, status, below);
    add(each);
    add_to_each(*command, status, below, add);
  }
}

void define(CLI::App& app, int& status, const Program& program, const Command::Needed& needed) {
  app.set_version_flag("--version", program.version);
  app.require_subcommand(1);
  Command top(app, status, needed);
  for (const auto& add : program.add) {
    add(top);
    if (needed.alone && is_command(app, needed.wanted)) break;
  }
  if (program.add_to_each) add_to_each(app, status, needed, program.add_to_each);
}

// The program, with the options that are needed to understand the words: to define all takes longer than most commands
// do. `frugal`: those that are not in them are left out, too.
std::unique_ptr<CLI::App> program_for(const Words& words, int& status, const Program& program, Notes& notes,
                                      bool frugal) {
  const auto& first = words.front();
  const bool all = first.starts_with('-') || std::ranges::find(program.of_all, first) != program.of_all.end();
  const Words* named = frugal ? &words : nullptr;
  auto app = std::make_unique<CLI::App>(program.about, program.name);
  if (all) {
    define(*app, status, program, {.notes = &notes});
    return app;
  }
  define(*app, status, program, {.wanted = first, .alone = true, .words = named, .notes = &notes});
  if (is_command(*app, first)) return app;
  app = std::make_unique<CLI::App>(program.about, program.name);
  define(*app, status, program, {.wanted = program.implied_command, .words = named, .notes = &notes});
  return app;
}

bool asks_for_help(const Words& words) {
  return std::ranges::any_of(words, [](const auto& word) { return word == "-h" || word.starts_with("--help"); });
}

}  // namespace

CommandAbout Command::about() const { return about_command(*app_, ""); }

namespace {

// Nothing when the words are wrong and `frugal`, by which their error might be too.
std::optional<int> run_words(const Program& program, Words words, bool frugal) {
  int status = 0;
  Notes notes;
  const auto owned = program_for(words, status, program, notes, frugal);
  CLI::App& app = *owned;
  words = with_command(app, program, std::move(words));
  const auto own_status = program.statuses.find(words.empty() ? "" : words.front());
  try {
    words = with_plain_values(app, words);
    std::reverse(words.begin(), words.end());  // as CLI11 wants them
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    if (frugal) return std::nullopt;
    write_out(help_of(app));
    return 0;
  } catch (const CLI::Success& answer) {
    std::ostringstream text;
    const int code = app.exit(answer, text, text);
    write_out(text.str());
    return code;
  } catch (const CLI::ParseError& error) {
    if (frugal) return std::nullopt;
    say("ERROR: {}\n       {} --help lists the commands and flags.\n", usage_message(app, error), program.name);
    return own_status == program.statuses.end() ? static_cast<int>(ExitClass::usage) : own_status->second;
  }
  return status;
}

}  // namespace

int run_command_line(const Program& program, std::vector<std::string> words) {
  words = with_help(std::move(words));
  if (!asks_for_help(words)) {
    if (const auto status = run_words(program, words, true)) return *status;
  }
  return *run_words(program, std::move(words), false);
}

}  // namespace mbuild::cli
