#include "cli/config/help.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "cli/display/columns.h"

namespace mbuild::cli {

std::string usage_words(const CommandAbout& command) {
  std::string text;
  const auto is_plain = [](const auto& option) { return !option.positional; };
  if (std::ranges::any_of(command.options, is_plain)) text += " [OPTIONS]";
  if (!command.commands.empty()) text += " COMMAND";
  for (const auto& option : command.options) {
    if (!option.positional) continue;
    const auto shown = option.placeholder + (option.several ? "..." : "");
    text += option.required ? " " + shown : " [" + shown + "]";
  }
  if (!command.rest.empty()) text += " " + command.rest;
  return text;
}

namespace {

constexpr std::size_t k_widest = 80, k_narrowest = 20;
constexpr std::size_t k_longest_names = 26;  // what is longer has its meaning below it

// "-t, --tag NAME", with room for a letter where there is none.
std::string names_of(const OptionAbout& option) {
  const bool has_letter = option.names.front().size() == 2;
  return (has_letter ? "" : "    ") + join(option.names, ", ") +
         (option.placeholder.empty() ? "" : " " + option.placeholder);
}

std::string entry(const std::string& names, const std::string& meaning, std::size_t width, std::size_t columns) {
  constexpr std::size_t k_gap = 2;
  const std::size_t indent = 2 + width + k_gap;
  if (columns < indent + 20) return folded(names, columns, 2, 6) + folded(meaning, columns, 6, 6);
  if (columns_of(names) > width) return folded(names, columns, 2, 6) + folded(meaning, columns, indent, indent);
  const auto text = folded(meaning, columns, indent, indent);
  return fmt::format("  {}{:{}}{}", names, "", width - columns_of(names) + k_gap,
                     text.substr(std::min(indent, text.size())));
}

std::string usage(const CommandAbout& command, std::size_t columns) {
  return folded("Usage: " + command.name + usage_words(command), columns, 0, 7);
}

std::string examples(const CommandAbout& command, std::size_t columns) {
  if (command.examples.empty()) return "";
  std::string text = "\nExamples:\n";
  for (const auto& example : command.examples) {
    text += fmt::format("  {}\n", example.command) + folded(example.meaning, columns, 6, 6);
  }
  return text;
}

std::vector<std::string> groups_of(const CommandAbout& command) {
  std::vector<std::string> groups;
  for (const auto& option : command.options) {
    if (!option.positional && std::ranges::find(groups, option.group) == groups.end()) groups.push_back(option.group);
  }
  return groups;
}

std::string options(const CommandAbout& command, std::size_t columns) {
  std::string text;
  std::size_t width = 0;
  for (const auto& option : command.options) {
    const auto size = columns_of(names_of(option));
    if (!option.positional && size <= k_longest_names) width = std::max(width, size);
  }
  for (const auto& group : groups_of(command)) {
    text += fmt::format("\n{}:\n", group);
    for (const auto& option : command.options) {
      if (!option.positional && option.group == group) text += entry(names_of(option), option.help, width, columns);
    }
  }
  return text;
}

std::string arguments(const CommandAbout& command, std::size_t columns) {
  std::string text;
  for (const auto& option : command.options) {
    if (option.positional)
      text += entry(option.placeholder, option.help, std::max<std::size_t>(8, option.placeholder.size()), columns);
  }
  return text.empty() ? "" : "\n" + text;
}

std::string commands(const CommandAbout& command, std::size_t columns) {
  if (command.commands.empty()) return "";
  std::size_t width = 0;
  std::vector<std::string> minor;
  for (const auto& sub : command.commands) {
    if (sub.minor) {
      minor.push_back(short_name(sub));
    } else {
      width = std::max(width, short_name(sub).size());
    }
  }
  std::string text = "\nCommands:\n";
  for (const auto& sub : command.commands) {
    if (!sub.minor) text += entry(short_name(sub), sub.help, width, columns);
  }
  if (!minor.empty()) text += "\n" + folded("Also: " + join(minor, ", "), columns, 0, 2);
  return text + "\n" + folded(fmt::format("`{} COMMAND --help` says more of a command.", command.name), columns, 0, 0);
}

}  // namespace

std::string short_name(const CommandAbout& command) { return split(command.name, ' ').back(); }

std::string folded(std::string_view text, std::size_t columns, std::size_t indent, std::size_t indent_more) {
  std::string out;
  for (const auto& paragraph : split(text, '\n')) {
    std::string line(indent, ' ');
    bool fresh = true;
    for (const auto& word : split(paragraph, ' ')) {
      if (!fresh && columns_of(line) + 1 + columns_of(word) > columns) {
        out += line + "\n";
        line.assign(indent_more, ' ');
        fresh = true;
      }
      if (!fresh) line += ' ';
      line += word;
      fresh = false;
    }
    out += line + "\n";
    indent = indent_more;
  }
  return out;
}

std::size_t help_columns() {
  winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return k_widest;
  return std::clamp<std::size_t>(size.ws_col, k_narrowest, k_widest);
}

std::string help_text(const CommandAbout& command, std::size_t columns) {
  return usage(command, columns) + "\n" + folded(command.help, columns, 0, 0) + examples(command, columns) +
         arguments(command, columns) + commands(command, columns) + options(command, columns);
}

}  // namespace mbuild::cli
