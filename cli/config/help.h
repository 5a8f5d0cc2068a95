#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/config/about.h"

namespace mbuild::cli {

// The help of a command, no line wider than so many columns (as far as words allow), at least 20.
std::string help_text(const CommandAbout& command, std::size_t columns);
// What follows the name of a command: " [OPTIONS] CONTEXT".
std::string usage_words(const CommandAbout& command);
// How wide help is written for the standard output: at most 80 columns.
std::size_t help_columns();

// Lines of at most `columns`, broken between words; the first has `indent` before it, the others `indent_more`.
std::string folded(std::string_view text, std::size_t columns, std::size_t indent, std::size_t indent_more);

// A page for `man`, section 1, of a command with all that are below it.
std::string man_page(const CommandAbout& command);

// A script that completes the program's commands and flags in "bash", "zsh" or "fish"; throws Error (usage) for others.
std::string completion_script(const CommandAbout& program, const std::string& shell);

}  // namespace mbuild::cli
