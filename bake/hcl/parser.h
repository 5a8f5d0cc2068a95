#pragma once

#include <string>
#include <vector>

#include "bake/hcl/diagnostic.h"
#include "bake/hcl/lexer.h"
#include "bake/hcl/syntax.h"

// The parser of the native syntax: recursive descent, one token ahead. Bodies, expressions and templates have a file
// each. Inner to the room.
namespace mbuild::bake::hcl {

// A parser's place in its text. Newlines are tokens or blanks, depending on what is parsed.
struct Cursor {
  Text text;
  std::size_t offset = 0;  // where the next token is looked for
  bool newlines = true;    // they are tokens
  int depth = 0;           // of expressions within expressions

  // The token that was looked at last, and for which offset and sight of newlines.
  mutable Token seen;
  mutable std::size_t seen_from = std::string_view::npos;
  mutable bool seen_newlines = true;
};

// Sets `newlines` for the time that it lives.
class Newlines {
 public:
  Newlines(Cursor& cursor, bool newlines) : cursor_(cursor), before_(cursor.newlines) { cursor.newlines = newlines; }
  ~Newlines() { cursor_.newlines = before_; }
  Newlines(const Newlines&) = delete;
  Newlines& operator=(const Newlines&) = delete;

 private:
  Cursor& cursor_;
  bool before_;
};

Token peek(const Cursor& cursor);
Token take(Cursor& cursor);
// Takes the token if it is that punctuation.
bool take_if(Cursor& cursor, std::string_view punctuation);
void skip_newlines(Cursor& cursor);
Range range_of(const Cursor& cursor, const Token& token);
// From a place to the last token that was taken.
Range range_since(const Cursor& cursor, std::size_t begin);
// How a message speaks of a token.
std::string describe(const Token& token);

Body parse_body(Cursor& cursor);
ExpressionPtr parse_expression(Cursor& cursor);
// For-expressions, after their opening bracket and "for" were seen but not taken. `object`: in braces.
ExpressionPtr parse_for(Cursor& cursor, const Token& open, bool object);
bool at_for(const Cursor& cursor);
// The names of "for NAME[, NAME] in"; the first is "" where there is but one.
struct LoopNames {
  std::string key;
  std::string value;
};
LoopNames parse_loop_names(Cursor& cursor);

// After the opening quote was taken, up to and with the closing one.
ExpressionPtr parse_quoted(Cursor& cursor, const Token& open);
ExpressionPtr parse_heredoc(Cursor& cursor, const Token& open);
// A whole text as a template without quotes and escapes.
ExpressionPtr parse_bare_template(Cursor& cursor);
// A quoted string without any template sequence, as labels are.
std::string parse_quoted_literal(Cursor& cursor, const Token& open);

template <typename Form>
ExpressionPtr make_expression(Range range, Form form) {
  return std::make_shared<const Expression>(Expression{range, std::move(form)});
}

}  // namespace mbuild::bake::hcl
