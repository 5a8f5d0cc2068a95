#include "cli/display/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/clean_text.h"
#include "base/error.h"

namespace mbuild::cli {
namespace {

void write_to(FILE* file, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size()) {
    throw std::system_error(errno, std::generic_category(), "cannot write to file");
  }
}

std::string_view code_of(const Palette& palette, Style style) {
  switch (style) {
    case Style::plain:
      break;
    case Style::running:
      return palette.running;
    case Style::finished:
      return palette.finished;
    case Style::failed:
      return palette.failed;
    case Style::cancelled:
      return palette.cancelled;
    case Style::warning:
      return palette.warning;
    case Style::faint:
      return palette.faint;
  }
  return "";
}

}  // namespace

void write_out(std::string_view text) { write_to(stdout, clean_text(text)); }

void write_error(std::string_view text) { write_to(stderr, clean_text(text)); }

bool answers_yes(std::string_view question) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) return false;
  write_error(question);
  bool yes = false;
  for (int c = std::getchar(), first = c; c != '\n' && c != EOF; c = std::getchar()) yes = first == 'y' || first == 'Y';
  return yes;
}

std::string ask(std::string_view question, Echo echo) {
  termios before;
  if (::tcgetattr(STDIN_FILENO, &before) != 0) {
    throw usage_error(fmt::format("{}nobody is there to answer: standard input is no terminal", question))
        .with_advice("Give it on the command line, or by standard input where there is a flag for it.");
  }
  write_error(question);
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  if (echo == Echo::off) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  std::string line;
  for (int c = std::getchar(); c != '\n' && c != EOF; c = std::getchar()) line += static_cast<char>(c);
  if (echo == Echo::off) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    write_error("\n");
  }
  return line;
}

void print_document(std::string_view bytes) {
  if (::isatty(STDOUT_FILENO) == 1) return write_out(bytes);
  write_to(stdout, bytes);
}

void draw(std::size_t rows, std::span<const Piece> pieces, const Palette& palette, bool anew) {
  std::string out = "\x1b[?2026h\x1b[?7l";
  if (rows > 0) out += fmt::format("\r\x1b[{}A", rows);  // from wherever what was typed left the cursor
  for (const auto& [style, text] : pieces) {
    const auto code = code_of(palette, style);
    if (anew) out += "\x1b[2K";
    if (!code.empty()) out += fmt::format("\x1b[{}m", code);
    out += clean_line(text);
    if (!code.empty()) out += "\x1b[0m";
    out += "\x1b[K\n";
  }
  write_to(stderr, out + "\x1b[J\x1b[?7h\x1b[?2026l");
}

void clear_screen() { write_to(stdout, "\x1b[H\x1b[2J"); }

void write_section(bool begins, std::string_view name, std::string_view heading, long unix_time) {
  write_to(stderr, begins ? fmt::format("\x1b[0Ksection_start:{}:{}[collapsed=true]\r\x1b[0K{}\n", unix_time, name,
                                        clean_line(heading))
                          : fmt::format("\x1b[0Ksection_end:{}:{}\r\x1b[0K\n", unix_time, name));
}

}  // namespace mbuild::cli
