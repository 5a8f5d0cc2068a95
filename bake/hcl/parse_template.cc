#include <fmt/format.h>

#include <charconv>

#include "bake/hcl/parser.h"
#include "bake/hcl/template_parts.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

TemplatePart literal(const Cursor& cursor, std::size_t begin, std::string text) {
  TemplatePart part;
  part.range = cursor.text.range(begin, cursor.offset);
  part.text = std::move(text);
  return part;
}

[[noreturn]] void bad_escape(const Cursor& cursor, std::size_t length) {
  const std::string_view text = cursor.text.text.substr(cursor.offset, length);
  fail(cursor.text.range(cursor.offset, cursor.offset + text.size()), "Invalid escape sequence",
       fmt::format("\"{}\" is no escape. There are \\n, \\r, \\t, \\\", \\\\, \\uNNNN and \\UNNNNNNNN; a backslash "
                   "itself is written \\\\.",
                   text));
}

// "\u" or "\U" and its hexadecimal digits, at the cursor.
void take_code_point(Cursor& cursor, std::size_t digits, std::string& text) {
  const std::string_view number = cursor.text.text.substr(cursor.offset + 2, digits);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value, 16);
  const bool surrogate = value >= 0xD800 && value < 0xE000;
  if (number.size() < digits || error != std::errc{} || end != number.data() + digits || value > 0x10FFFF ||
      surrogate) {
    bad_escape(cursor, digits + 2);
  }
  append_code_point(text, static_cast<std::int32_t>(value));
  cursor.offset += digits + 2;
}

// The escape that the cursor is at.
void take_escape(Cursor& cursor, std::string& text) {
  constexpr std::string_view k_letters = "nrt\"\\";
  constexpr std::string_view k_meanings = "\n\r\t\"\\";
  const std::string_view rest = cursor.text.text.substr(cursor.offset);
  if (rest.size() > 1 && (rest[1] == 'u' || rest[1] == 'U')) {
    return take_code_point(cursor, rest[1] == 'u' ? 4 : 8, text);
  }
  const std::size_t letter = rest.size() > 1 ? k_letters.find(rest[1]) : std::string_view::npos;
  if (letter == std::string_view::npos) {
    bad_escape(cursor, rest.size() > 1 ? 1 + code_point_at(rest, 1).size : 1);
  }
  text += k_meanings[letter];
  cursor.offset += 2;
}

// One character of a literal, or an escaped opening of a sequence.
void take_character(Cursor& cursor, std::string& text) {
  const std::string_view all = cursor.text.text;
  const std::size_t i = cursor.offset;
  if (begins_escaped_sequence(all, i)) {
    text += all.substr(i + 1, 2);
    cursor.offset += 3;
    return;
  }
  const CodePoint c = code_point_at(all, i);
  if (c.value < 0) {
    fail(cursor.text.range(i, i + 1), "Invalid character encoding", "Definitions are UTF-8, and these bytes are not.");
  }
  text += all.substr(i, c.size);
  cursor.offset += c.size;
}

[[noreturn]] void unterminated(const Cursor& cursor, const Token& open, std::string_view what) {
  fail(range_of(cursor, open), fmt::format("Unterminated {}", what),
       "The file ends before its closing marker was found.");
}

// The literal up to the next sequence or the closing quote.
std::string take_quoted_text(Cursor& cursor, const Token& open) {
  const std::string_view all = cursor.text.text;
  std::string text;
  while (cursor.offset < all.size() && all[cursor.offset] != '"' && !begins_sequence(all, cursor.offset)) {
    const char c = all[cursor.offset];
    if (c == '\n' || c == '\r') {
      fail(cursor.text.range(open.begin, cursor.offset), "Invalid multi-line string",
           "A quoted string ends on its line. Write \\n for a newline in it, or use a heredoc (<<NAME).");
    }
    if (c == '\\') {
      take_escape(cursor, text);
    } else {
      take_character(cursor, text);
    }
  }
  if (cursor.offset >= all.size()) {
    unterminated(cursor, open, "string");
  }
  return normalise(text);
}

// A heredoc's end marker alone on the line that begins at `offset`: the offset after it, else 0.
std::size_t end_marker(std::string_view all, std::size_t offset, std::string_view name) {
  const std::size_t begin = all.find_first_not_of(" \t", offset);
  if (begin == std::string_view::npos || !all.substr(begin).starts_with(name)) {
    return 0;
  }
  const std::size_t end = begin + name.size();
  const std::size_t after = all.find_first_not_of(" \t\r", end);
  return after == std::string_view::npos || all[after] == '\n' ? end : 0;
}

// A literal up to the next sequence or the end of its line, which it includes.
std::string take_line(Cursor& cursor, std::size_t end) {
  const std::string_view all = cursor.text.text;
  std::string text;
  while (cursor.offset < end && !begins_sequence(all, cursor.offset) && !text.ends_with('\n')) {
    take_character(cursor, text);
  }
  return normalise(text);
}

TemplateParts take_heredoc_parts(Cursor& cursor, const Token& open, std::string_view name) {
  TemplateParts parts;
  bool line_start = true;
  while (cursor.offset < cursor.text.text.size()) {
    const std::size_t end = line_start ? end_marker(cursor.text.text, cursor.offset, name) : 0;
    if (end > 0) {
      cursor.offset = end;
      return parts;
    }
    if (begins_sequence(cursor.text.text, cursor.offset)) {
      parts.push_back(parse_sequence(cursor));
      line_start = false;
    } else {
      const std::size_t begin = cursor.offset;
      std::string text = take_line(cursor, cursor.text.text.size());
      line_start = text.ends_with('\n');
      parts.push_back(literal(cursor, begin, std::move(text)));
    }
  }
  unterminated(cursor, open, "heredoc");
}

}  // namespace

bool begins_sequence(std::string_view text, std::size_t offset) {
  const std::string_view rest = text.substr(offset);
  return rest.starts_with("${") || rest.starts_with("%{");
}

bool begins_escaped_sequence(std::string_view text, std::size_t offset) {
  const std::string_view rest = text.substr(offset);
  return rest.starts_with("$${") || rest.starts_with("%%{");
}

ExpressionPtr parse_quoted(Cursor& cursor, const Token& open) {
  TemplateParts parts;
  while (true) {
    const std::size_t begin = cursor.offset;
    std::string text = take_quoted_text(cursor, open);
    if (cursor.offset > begin) {
      parts.push_back(literal(cursor, begin, std::move(text)));
    }
    if (cursor.text.text[cursor.offset] == '"') {
      break;
    }
    parts.push_back(parse_sequence(cursor));
  }
  ++cursor.offset;
  strip_blanks(parts);
  return build_template(std::move(parts), range_since(cursor, open.begin));
}

std::string parse_quoted_literal(Cursor& cursor, const Token& open) {
  std::string text = take_quoted_text(cursor, open);
  if (cursor.text.text[cursor.offset] != '"') {
    fail(cursor.text.range(open.begin, cursor.offset), "Invalid string literal",
         "A label is plain text: templates cannot stand in it.");
  }
  ++cursor.offset;
  return text;
}

ExpressionPtr parse_heredoc(Cursor& cursor, const Token& open) {
  const bool flush = open.text.starts_with("<<-");
  const std::string_view name = trim_right(open.text.substr(flush ? 3 : 2));
  TemplateParts parts = take_heredoc_parts(cursor, open, name);
  strip_blanks(parts);
  if (flush) {
    remove_indentation(parts);
  }
  return build_template(std::move(parts), range_since(cursor, open.begin));
}

ExpressionPtr parse_bare_template(Cursor& cursor) {
  const std::size_t end = cursor.text.text.size();
  TemplateParts parts;
  while (cursor.offset < end) {
    if (begins_sequence(cursor.text.text, cursor.offset)) {
      parts.push_back(parse_sequence(cursor));
    } else {
      const std::size_t begin = cursor.offset;
      std::string text = take_line(cursor, end);
      parts.push_back(literal(cursor, begin, std::move(text)));
    }
  }
  strip_blanks(parts);
  return build_template(std::move(parts), cursor.text.range(0, end));
}

}  // namespace mbuild::bake::hcl
