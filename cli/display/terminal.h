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

enum class Style { plain, running, finished, failed, cancelled, warning, faint };

// The codes of the styles (ECMA-48); "" leaves a style plain.
struct Palette {
  std::string running = "36", finished = "34", failed = "31", cancelled = "33", warning = "33", faint = "2";
  static Palette none() { return {"", "", "", "", "", ""}; }
};

struct Piece {
  Style style = Style::plain;
  std::string text;  // one line, without its end
};

// For the display on a terminal (standard error): the cursor goes up by `rows`, then each piece takes a row, and what
// was below goes. One write, shown at once by terminals that know synchronised output (private mode 2026): it does not
// flicker. A piece is cut where the window ends, for tmux tells programs of a narrower window a while after it has
// folded what was there: until then nothing more is folded, and the rows that there are stay as many.
// `anew`: the window has another width. A row that is only written over is still a part of the line that tmux folded,
// and is unfolded with it, so rows are erased here (each: when all are at once, they go to the scrollback).
void draw(std::size_t rows, std::span<const Piece> pieces, const Palette& palette, bool anew = false);

// Of the terminal at standard output; the cursor is at the top then.
void clear_screen();

// A section of a log of GitLab, which its reader folds: its beginning with what it is headed by, or its end. `name` has
// letters, digits and "_" only.
void write_section(bool begins, std::string_view name, std::string_view heading, long unix_time);

}  // namespace mbuild::cli
