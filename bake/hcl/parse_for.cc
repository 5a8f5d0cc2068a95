#include <fmt/format.h>

#include "bake/hcl/parser.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

bool take_word(Cursor& cursor, std::string_view word) {
  const Token token = peek(cursor);
  if (token.kind != TokenKind::identifier || token.text != word) {
    return false;
  }
  take(cursor);
  return true;
}

[[noreturn]] void bad_for(const Cursor& cursor, std::string_view expected) {
  const Token token = peek(cursor);
  fail(range_of(cursor, token), "Invalid 'for' expression",
       fmt::format("Here stands {}, but there is {}.", expected, describe(token)));
}

void expect(Cursor& cursor, std::string_view punctuation, std::string_view where) {
  if (!take_if(cursor, punctuation)) {
    bad_for(cursor, fmt::format("\"{}\" {}", punctuation, where));
  }
}

std::string take_name(Cursor& cursor) {
  const Token token = peek(cursor);
  if (token.kind != TokenKind::identifier) {
    bad_for(cursor, "the name of a loop's variable");
  }
  take(cursor);
  return normalise(token.text);
}

}  // namespace

bool at_for(const Cursor& cursor) {
  const Token token = peek(cursor);
  return token.kind == TokenKind::identifier && token.text == "for";
}

LoopNames parse_loop_names(Cursor& cursor) {
  LoopNames names;
  names.value = take_name(cursor);
  if (take_if(cursor, ",")) {
    names.key = std::move(names.value);
    names.value = take_name(cursor);
  }
  if (!take_word(cursor, "in")) {
    bad_for(cursor, "\"in\" after the loop's names");
  }
  return names;
}

ExpressionPtr parse_for(Cursor& cursor, const Token& open, bool object) {
  take(cursor);  // "for"
  For loop;
  auto [key_name, value_name] = parse_loop_names(cursor);
  loop.key_name = std::move(key_name);
  loop.value_name = std::move(value_name);
  loop.collection = parse_expression(cursor);
  expect(cursor, ":", "after the collection");
  loop.value = parse_expression(cursor);
  if (object) {
    expect(cursor, "=>", "after the key: an object is built of keys and values");
    loop.key = std::move(loop.value);
    loop.value = parse_expression(cursor);
    loop.group = take_if(cursor, "...");
  } else if (peek(cursor).is("=>") || peek(cursor).is("...")) {
    bad_for(cursor, "the end of a list: keys and groups belong to objects, in braces");
  }
  if (take_word(cursor, "if")) {
    loop.condition = parse_expression(cursor);
  }
  expect(cursor, object ? "}" : "]", "to end the loop");
  return make_expression(range_since(cursor, open.begin), std::move(loop));
}

}  // namespace mbuild::bake::hcl
