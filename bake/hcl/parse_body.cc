#include <fmt/format.h>

#include <map>

#include "bake/hcl/parse.h"
#include "bake/hcl/parser.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

void expect_line_end(Cursor& cursor, std::string_view what) {
  const Token token = peek(cursor);
  if (token.kind == TokenKind::newline) {
    take(cursor);
  } else if (token.kind != TokenKind::end) {
    fail(range_of(cursor, token), fmt::format("Missing newline after {}", what),
         fmt::format("Here the line has to end, but {} follows.", describe(token)));
  }
}

Attribute parse_attribute(Cursor& cursor, const Token& name) {
  take(cursor);  // "="
  Attribute attribute;
  attribute.name = normalise(name.text);
  attribute.name_range = range_of(cursor, name);
  attribute.expression = parse_expression(cursor);
  attribute.range = join(attribute.name_range, attribute.expression->range);
  return attribute;
}

void add_attribute(Body& body, Attribute attribute) {
  if (const Attribute* first = find(body, attribute.name)) {
    fail(attribute.name_range, "Attribute redefined",
         fmt::format("The argument \"{}\" was set at {} already; each may be set only once.", attribute.name,
                     describe(first->name_range)));
  }
  body.attributes.push_back(std::move(attribute));
}

std::vector<Label> parse_labels(Cursor& cursor) {
  std::vector<Label> labels;
  while (true) {
    const Token token = peek(cursor);
    if (token.kind == TokenKind::identifier) {
      take(cursor);
      labels.push_back({normalise(token.text), range_of(cursor, token)});
    } else if (token.kind == TokenKind::quote) {
      take(cursor);
      std::string text = parse_quoted_literal(cursor, token);
      labels.push_back({std::move(text), range_since(cursor, token.begin)});
    } else {
      return labels;
    }
  }
}

// "{ name = value }" or "{}": what follows the brace on its line.
Body parse_line_body(Cursor& cursor) {
  Body body;
  const Token name = peek(cursor);
  if (name.is("}")) {
    return body;
  }
  if (name.kind == TokenKind::identifier) {
    take(cursor);
    if (peek(cursor).is("=")) {
      add_attribute(body, parse_attribute(cursor, name));
    } else {
      fail(range_of(cursor, name), "Invalid single-line block",
           "A block within a block cannot stand on the same line: begin a new one after \"{\".");
    }
  }
  const Token after = peek(cursor);
  if (!after.is("}")) {
    fail(range_of(cursor, after), "Invalid single-line block",
         fmt::format("A block on a single line has one argument and then \"}}\", but here is {}. For more, "
                     "begin a new line for each.",
                     describe(after)));
  }
  return body;
}

Block parse_block(Cursor& cursor, const Token& type) {
  Block block;
  block.type = normalise(type.text);
  block.type_range = range_of(cursor, type);
  block.labels = parse_labels(cursor);
  block.header_range = range_since(cursor, type.begin);
  const Token open = peek(cursor);
  if (!open.is("{")) {
    fail(range_of(cursor, open), "Invalid block definition",
         fmt::format("After \"{}\", either \"=\" makes an argument of it, or \"{{\" opens a block; here is {}.",
                     type.text, describe(open)));
  }
  take(cursor);
  if (peek(cursor).kind == TokenKind::newline) {
    block.body = parse_body(cursor);
  } else {
    block.body = parse_line_body(cursor);
  }
  const Token close = peek(cursor);
  if (!close.is("}")) {
    fail(block.header_range, "Unclosed block", "The file ends before the brace that closes this block.");
  }
  take(cursor);
  block.body.range = range_since(cursor, open.begin);
  expect_line_end(cursor, "block definition");
  return block;
}

}  // namespace

Body parse_body(Cursor& cursor) {
  Body body;
  const Newlines newlines(cursor, true);
  while (true) {
    skip_newlines(cursor);
    const Token token = peek(cursor);
    if (token.kind == TokenKind::end || token.is("}")) {
      return body;
    }
    if (token.kind != TokenKind::identifier) {
      fail(range_of(cursor, token), "Argument or block definition required",
           fmt::format("Here an argument or a block begins with its name, but there is {}.", describe(token)));
    }
    take(cursor);
    if (peek(cursor).is("=")) {
      add_attribute(body, parse_attribute(cursor, token));
      expect_line_end(cursor, "argument");
    } else {
      body.blocks.push_back(parse_block(cursor, token));
    }
  }
}

const Attribute* find(const Body& body, std::string_view name) {
  for (const Attribute& attribute : body.attributes) {
    if (attribute.name == name) {
      return &attribute;
    }
  }
  return nullptr;
}

File parse_native(std::string name, std::string text) {
  File file{std::make_shared<const Source>(Source{std::move(name), std::move(text)}), {}};
  Cursor cursor{{file.source.get(), file.source->text, {}}};
  cursor.offset = file.source->text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  file.body = parse_body(cursor);
  const Token token = peek(cursor);
  if (token.kind != TokenKind::end) {
    fail(range_of(cursor, token), "Argument or block definition required",
         "This brace closes no block: more are closed than were opened.");
  }
  file.body.range = {file.source.get(), 0, static_cast<std::uint32_t>(file.source->text.size())};
  return file;
}

}  // namespace mbuild::bake::hcl
