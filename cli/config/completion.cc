#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "cli/config/help.h"

namespace mbuild::cli {
namespace {

using Lines = std::vector<std::string>;

Lines flags_of(const CommandAbout& command) {
  Lines flags;
  for (const auto& option : command.options) {
    if (!option.positional) flags.insert(flags.end(), option.names.begin(), option.names.end());
  }
  return flags;
}

Lines names_of(const std::vector<CommandAbout>& commands) {
  Lines names;
  for (const auto& command : commands) names.push_back(short_name(command));
  return names;
}

bool is_for_file(const OptionAbout& option) {
  return option.placeholder == "FILE" || option.placeholder == "DIR" || option.placeholder == "PATH";
}

// Calls `work` with each command below the program, and the words after the program's name that lead to it.
template <typename Work>
void for_each_command(const CommandAbout& program, const Work& work) {
  for (const auto& command : program.commands) {
    work(command, command.name.substr(command.name.find(' ') + 1));
    for (const auto& sub : command.commands) work(sub, sub.name.substr(sub.name.find(' ') + 1));
  }
}

// The part that bash and zsh share: which command is meant by the words, and what may follow.
std::string cases(const CommandAbout& program) {
  std::string text;
  for_each_command(program, [&](const CommandAbout& command, const std::string& path) {
    auto words = flags_of(command);
    const auto below = names_of(command.commands);
    words.insert(words.end(), below.begin(), below.end());
    text += fmt::format("    '{}') words='{}' ;;\n", path, join(words, " "));
  });
  return text;
}

std::string bash(const CommandAbout& program) {
  auto first = names_of(program.commands);
  const auto flags = flags_of(program);
  first.insert(first.end(), flags.begin(), flags.end());
  return fmt::format(
      R"(# bash completion for {0}
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} path= word words='{1}' i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${{COMP_WORDS[i]}}
    [[ $word == -* ]] && continue
    case "$path $word" in
{2}    esac
  done
  case "$path" in
{3}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ $current == -* ]] || COMPREPLY+=($(compgen -f -- "$current"))
}}
complete -o filenames -F _{0} {0}
)",
      program.name, join(first, " "),
      [&] {
        std::string text;
        for_each_command(program, [&](const CommandAbout&, const std::string& path) {
          const auto space = path.find(' ');
          const auto before = space == std::string::npos ? "" : path.substr(0, space);
          const auto last = space == std::string::npos ? path : path.substr(space + 1);
          text += fmt::format("      '{} {}') path='{}' ;;\n", before, last, path);
        });
        return text;
      }(),
      cases(program));
}

// A description as zsh and fish take it in single quotes.
std::string zsh_quoted(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, text.find('\n'))) {
    if (c == '\'') {
      out += "'\\''";
    } else if (c == '[' || c == ']' || c == ':') {
      out += fmt::format("\\{}", c);
    } else {
      out += c;
    }
  }
  return out;
}

std::string zsh_options(const CommandAbout& command) {
  std::string text;
  for (const auto& option : command.options) {
    if (option.positional) continue;
    for (const auto& name : option.names) {
      const auto value = option.placeholder.empty() ? ""
                         : is_for_file(option)      ? ":" + option.placeholder + ":_files"
                                                    : ":" + option.placeholder + ":";
      text += fmt::format("      '*{}[{}]{}' \\\n", name, zsh_quoted(option.help), value);
    }
  }
  return text;
}

std::string zsh(const CommandAbout& program) {
  std::string described, arguments;
  for (const auto& command : program.commands) {
    described += fmt::format("    '{}:{}'\n", short_name(command), zsh_quoted(command.help));
    const auto below = names_of(command.commands);
    arguments += fmt::format("    {}) _arguments \\\n{}      {} ;;\n", short_name(command), zsh_options(command),
                             below.empty() ? "'*:file:_files'" : fmt::format("'1:command:({})'", join(below, " ")));
  }
  return fmt::format(R"(#compdef {0}
_{0}() {{
  local -a commands=(
{1}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    _files
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{2}    *) _files ;;
  esac
}}
compdef _{0} {0}
)",
                     program.name, described, arguments);
}

std::string fish_quoted(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, text.find('\n'))) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string fish(const CommandAbout& program) {
  std::string text = fmt::format("# fish completion for {}\n", program.name);
  const auto names = join(names_of(program.commands), " ");
  for (const auto& command : program.commands) {
    const auto name = short_name(command);
    text += fmt::format("complete -c {} -n 'not __fish_seen_subcommand_from {}' -a {} -d '{}'\n", program.name, names,
                        name, fish_quoted(command.help));
    for (const auto& below : command.commands) {
      text += fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}' -a {} -d '{}'\n", program.name, name,
                          short_name(below), fish_quoted(below.help));
    }
    for (const auto& option : command.options) {
      if (option.positional) continue;
      text += fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}'", program.name, name);
      for (const auto& flag : option.names) {
        text += flag.starts_with("--") ? fmt::format(" -l {}", flag.substr(2)) : fmt::format(" -s {}", flag.substr(1));
      }
      text += fmt::format("{} -d '{}'\n", option.placeholder.empty() ? "" : " -r", fish_quoted(option.help));
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const CommandAbout& program, const std::string& shell) {
  if (shell == "bash") return bash(program);
  if (shell == "zsh") return zsh(program);
  if (shell == "fish") return fish(program);
  throw usage_error(fmt::format("there is no completion for \"{}\"", shell))
      .with_advice("Shells are bash, zsh and fish.");
}

}  // namespace mbuild::cli
