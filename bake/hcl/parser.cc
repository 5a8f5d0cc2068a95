#include "bake/hcl/parser.h"

#include <fmt/format.h>

#include "bake/hcl/parse.h"

namespace mbuild::bake::hcl {

Token peek(const Cursor& cursor) {
  if (cursor.seen_from == cursor.offset && cursor.seen_newlines == cursor.newlines) {
    return cursor.seen;
  }
  Token token = next_token(cursor.text, cursor.offset);
  while (!cursor.newlines && token.kind == TokenKind::newline) {
    token = next_token(cursor.text, token.end);
  }
  cursor.seen = token;
  cursor.seen_from = cursor.offset;
  cursor.seen_newlines = cursor.newlines;
  return token;
}

Token take(Cursor& cursor) {
  const Token token = peek(cursor);
  cursor.offset = token.end;
  return token;
}

bool take_if(Cursor& cursor, std::string_view punctuation) {
  const Token token = peek(cursor);
  if (token.is(punctuation)) {
    cursor.offset = token.end;
    return true;
  }
  return false;
}

void skip_newlines(Cursor& cursor) {
  while (peek(cursor).kind == TokenKind::newline) {
    take(cursor);
  }
}

Range range_of(const Cursor& cursor, const Token& token) { return cursor.text.range(token.begin, token.end); }

Range range_since(const Cursor& cursor, std::size_t begin) { return cursor.text.range(begin, cursor.offset); }

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::end:
      return "the end of the file";
    case TokenKind::newline:
      return "a newline";
    case TokenKind::quote:
      return "a quoted string";
    case TokenKind::heredoc:
      return "a heredoc";
    default:
      return fmt::format("\"{}\"", token.text);
  }
}

ExpressionPtr parse_expression(const Source& source, std::size_t begin, std::size_t end) {
  Cursor cursor{{&source, std::string_view(source.text).substr(0, end), {}}, begin, false};
  ExpressionPtr expression = parse_expression(cursor);
  const Token token = peek(cursor);
  if (token.kind != TokenKind::end) {
    fail(range_of(cursor, token), "Invalid expression", "The expression is complete before " + describe(token) + ".");
  }
  return expression;
}

}  // namespace mbuild::bake::hcl
