#include "bake/hcl/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "bake/hcl/diagnostic.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

constexpr std::array<std::string_view, 10> k_long_punctuation{
    "...", "&&", "||", "==", "!=", ">=", "<=", "=>", "::", "~}"};
constexpr std::string_view k_punctuation = "{}[]().,:=<>+-*/%!?";

// The end of a line, with its line feed.
std::size_t line_end(std::string_view text, std::size_t offset) {
  const std::size_t feed = text.find('\n', offset);
  return feed == std::string_view::npos ? text.size() : feed + 1;
}

// Blanks and comments within a line; a comment to the end of a line is left, as it is a newline.
std::size_t skip_blanks(const Text& text, std::size_t i) {
  while (i < text.text.size()) {
    const std::string_view rest = text.text.substr(i);
    if (rest[0] == ' ' || rest[0] == '\t') {
      ++i;
    } else if (rest.starts_with("/*")) {
      const std::size_t end = text.text.find("*/", i + 2);
      if (end == std::string_view::npos) {
        fail(text.range(i, i + 2), "Unterminated comment", "No \"*/\" ends the comment that begins here.");
      }
      i = end + 2;
    } else {
      break;
    }
  }
  return i;
}

std::size_t digits_end(std::string_view text, std::size_t i) {
  const std::size_t end = text.find_first_not_of("0123456789", i);
  return end == std::string_view::npos ? text.size() : end;
}

// The end of an exponent that begins there; `i` where none does.
std::size_t exponent_end(std::string_view text, std::size_t i) {
  if (i >= text.size() || (text[i] != 'e' && text[i] != 'E')) {
    return i;
  }
  const std::size_t first = i + 1 < text.size() && (text[i + 1] == '+' || text[i + 1] == '-') ? i + 2 : i + 1;
  const std::size_t end = digits_end(text, std::min(first, text.size()));
  return end > first ? end : i;
}

// The bytes of a number without sign. A point is part of it before digits or an exponent.
std::size_t number_length(std::string_view text) {
  const std::size_t whole = digits_end(text, 0);
  if (whole == 0) {
    return 0;
  }
  if (whole < text.size() && text[whole] == '.') {
    const std::size_t fraction = digits_end(text, whole + 1);
    const std::size_t end = exponent_end(text, fraction);
    if (end > whole + 1) {
      return end;
    }
  }
  return exponent_end(text, whole);
}

// "<<ID" or "<<-ID" up to the end of its line.
std::size_t heredoc_length(std::string_view text) {
  if (!text.starts_with("<<")) {
    return 0;
  }
  std::size_t i = text.starts_with("<<-") ? 3 : 2;
  const std::size_t name = identifier_length(text.substr(i));
  i += name;
  i += text.substr(i).starts_with('\r') ? 1 : 0;
  return name > 0 && i < text.size() && text[i] == '\n' ? i + 1 : 0;
}

std::size_t punctuation_length(std::string_view text) {
  for (const std::string_view each : k_long_punctuation) {
    if (text.starts_with(each)) {
      return each.size();
    }
  }
  return k_punctuation.find(text[0]) == std::string_view::npos ? 0 : 1;
}

[[noreturn]] void bad_character(const Text& text, std::size_t offset) {
  const CodePoint c = code_point_at(text.text, offset);
  const Range range = text.range(offset, offset + c.size);
  switch (c.value) {
    case -1:
      fail(range, "Invalid character encoding", "Definitions are UTF-8, and these bytes are not.");
    case '\'':
      fail(range, "Invalid character", "A single quote means nothing here: strings stand in double quotes.");
    case ';':
      fail(range, "Invalid character", "A semicolon means nothing here: each argument has a line of its own.");
    case '&':
    case '|':
    case '^':
    case '~':
      fail(range, "Unsupported operator", "There are no operators on bits. For logic, use && || and !.");
    default:
      fail(range, "Invalid character",
           fmt::format("The character \"{}\" means nothing here.", text.text.substr(offset, c.size)));
  }
}

Token make(const Text& text, TokenKind kind, std::size_t begin, std::size_t length) {
  return {kind, begin, begin + length, text.text.substr(begin, length)};
}

}  // namespace

Token next_token(const Text& text, std::size_t offset) {
  const std::size_t begin = skip_blanks(text, offset);
  if (begin >= text.text.size()) {
    return {TokenKind::end, text.text.size(), text.text.size(), {}};
  }
  const std::string_view rest = text.text.substr(begin);
  if (rest[0] == '\n' || rest.starts_with("\r\n") || rest[0] == '#' || rest.starts_with("//")) {
    return make(text, TokenKind::newline, begin, line_end(text.text, begin) - begin);
  }
  if (const std::size_t length = identifier_length(rest)) {
    return make(text, TokenKind::identifier, begin, length);
  }
  if (const std::size_t length = number_length(rest)) {
    return make(text, TokenKind::number, begin, length);
  }
  if (rest[0] == '"') {
    return make(text, TokenKind::quote, begin, 1);
  }
  if (const std::size_t length = heredoc_length(rest)) {
    return make(text, TokenKind::heredoc, begin, length);
  }
  if (const std::size_t length = punctuation_length(rest)) {
    return make(text, TokenKind::punctuation, begin, length);
  }
  bad_character(text, begin);
}

}  // namespace mbuild::bake::hcl
