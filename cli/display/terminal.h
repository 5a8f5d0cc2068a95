#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// All that this program writes to its standard output and standard error goes through here, and is cleaned here: names,
// messages and documents come from builds and registries (base/clean_text.h). Nothing else prints, which
// cmake/check_includes.py sees to. Failures throw std::system_error.
namespace mbuild::cli {

void write_out(std::string_view text);
void write_error(std::string_view text);

template <typename... Arguments>
void print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  write_out(fmt::format(format, std::forward<Arguments>(arguments)...));
}

// To standard error.
template <typename... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  write_error(fmt::format(format, std::forward<Arguments>(arguments)...));
}

// Asks on standard error, where both ends are terminals, for a line that begins with "y". False where nobody is there.
bool answers_yes(std::string_view question);

enum class Echo { on, off };
// Asks on standard error for a line, which `Echo::off` does not show while it is typed. Throws Error (usage) where
// standard input is no terminal.
std::string ask(std::string_view question, Echo echo);

// To standard output: the bytes as they are where a program or a file takes them, whose digest matters; cleaned where
// it is a terminal.
void print_document(std::string_view bytes);

enum class Style { plain, running, finished, failed, cancelled, faint };

struct Piece {
  Style style = Style::plain;
  std::string text;
};

// For the display on a terminal (standard error): takes the last rows away and writes the pieces in their styles.
void draw(std::size_t erased_rows, std::span<const Piece> pieces);

}  // namespace mbuild::cli
