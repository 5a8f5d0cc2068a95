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

std::string_view escape_of(Style style) {
  switch (style) {
    case Style::plain:
      break;
    case Style::running:
      return "\x1b[36m";
    case Style::finished:
      return "\x1b[34m";
    case Style::failed:
      return "\x1b[31m";
    case Style::cancelled:
      return "\x1b[33m";
    case Style::faint:
      return "\x1b[2m";
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

void draw(std::size_t erased_rows, std::span<const Piece> pieces) {
  std::string out;
  if (erased_rows > 0) out = fmt::format("\x1b[{}A\x1b[J", erased_rows);
  for (const auto& [style, text] : pieces) {
    const auto escape = escape_of(style);
    out += escape;
    out += clean_text(text);
    if (!escape.empty()) out += "\x1b[0m";
  }
  write_to(stderr, out);
}

}  // namespace mbuild::cli
