#include <fmt/format.h>

#include "bake/hcl/template_parts.h"

namespace mbuild::bake::hcl {

namespace {

void take_close(Cursor& cursor, TemplatePart& part, std::size_t begin, std::string_view what) {
  const Token token = peek(cursor);
  if (token.kind == TokenKind::end) {
    fail(cursor.text.range(begin, begin + 2), "Unclosed template sequence",
         "The file ends before the \"}\" that closes what begins here.");
  }
  if (!token.is("}") && !token.is("~}")) {
    fail(range_of(cursor, token), fmt::format("Extra characters after {}", what),
         fmt::format("A closing \"}}\" is missing: here is {}.", describe(token)));
  }
  take(cursor);
  part.strip_after = token.is("~}");
  part.range = range_since(cursor, begin);
}

void parse_directive(Cursor& cursor, TemplatePart& part) {
  const Token word = take(cursor);
  if (word.text == "if") {
    part.kind = PartKind::if_;
    part.expression = parse_expression(cursor);
  } else if (word.text == "for") {
    part.kind = PartKind::for_;
    part.names = parse_loop_names(cursor);
    part.expression = parse_expression(cursor);
  } else if (word.text == "else") {
    part.kind = PartKind::else_;
  } else if (word.text == "endif") {
    part.kind = PartKind::endif;
  } else if (word.text == "endfor") {
    part.kind = PartKind::endfor;
  } else {
    fail(range_of(cursor, word), "Invalid template directive",
         fmt::format("{} is no directive: there are if, else, endif, for and endfor.", describe(word)));
  }
}

// Parts that have been read up to `next`.
struct PartReader {
  TemplateParts& parts;
  std::size_t next = 0;

  bool at(PartKind kind) const { return next < parts.size() && parts[next].kind == kind; }
};

ExpressionPtr build_until(PartReader& reader, PartKind end, PartKind other_end, Range range);

[[noreturn]] void unclosed(const TemplatePart& part, std::string_view end) {
  fail(part.range, "Unclosed template directive",
       fmt::format("The {} that belongs to this directive is missing.", end));
}

ExpressionPtr build_if(PartReader& reader, const TemplatePart& opening) {
  Conditional conditional;
  conditional.condition = opening.expression;
  conditional.yes = build_until(reader, PartKind::else_, PartKind::endif, opening.range);
  if (reader.at(PartKind::else_)) {
    ++reader.next;
    conditional.no = build_until(reader, PartKind::endif, PartKind::endif, opening.range);
  } else {
    conditional.no = make_expression(opening.range, Literal{string_value("")});
  }
  if (!reader.at(PartKind::endif)) {
    unclosed(opening, "endif");
  }
  ++reader.next;
  return make_expression(opening.range, std::move(conditional));
}

ExpressionPtr build_for(PartReader& reader, const TemplatePart& opening) {
  For loop;
  loop.key_name = opening.names.key;
  loop.value_name = opening.names.value;
  loop.collection = opening.expression;
  loop.value = build_until(reader, PartKind::endfor, PartKind::endfor, opening.range);
  if (!reader.at(PartKind::endfor)) {
    unclosed(opening, "endfor");
  }
  ++reader.next;
  return make_expression(opening.range, TemplateFor{make_expression(opening.range, std::move(loop))});
}

ExpressionPtr build_part(PartReader& reader) {
  TemplatePart& part = reader.parts[reader.next++];
  switch (part.kind) {
    case PartKind::literal:
      return make_expression(part.range, Literal{string_value(std::move(part.text))});
    case PartKind::value:
      return part.expression;
    case PartKind::if_:
      return build_if(reader, part);
    case PartKind::for_:
      return build_for(reader, part);
    default:
      fail(part.range, "Unexpected template directive",
           "This directive ends or continues one that was not begun, or another that was begun later.");
  }
}

ExpressionPtr build_until(PartReader& reader, PartKind end, PartKind other_end, Range range) {
  Template result;
  while (reader.next < reader.parts.size() && !reader.at(end) && !reader.at(other_end)) {
    result.parts.push_back(build_part(reader));
  }
  return make_expression(range, std::move(result));
}

}  // namespace

TemplatePart parse_sequence(Cursor& cursor) {
  const std::size_t begin = cursor.offset;
  const bool directive = cursor.text.text[begin] == '%';
  cursor.offset += 2;
  TemplatePart part;
  part.kind = PartKind::value;
  if (cursor.text.text.substr(cursor.offset).starts_with('~')) {
    part.strip_before = true;
    ++cursor.offset;
  }
  const Newlines newlines(cursor, false);
  if (directive) {
    parse_directive(cursor, part);
  } else {
    part.expression = parse_expression(cursor);
  }
  take_close(cursor, part, begin, directive ? "template directive" : "interpolation expression");
  return part;
}

ExpressionPtr build_template(TemplateParts parts, Range range) {
  if (parts.empty()) {
    return make_expression(range, Literal{string_value("")});
  }
  if (parts.size() == 1 && parts[0].kind == PartKind::literal) {
    return make_expression(range, Literal{string_value(std::move(parts[0].text))});
  }
  if (parts.size() == 1 && parts[0].kind == PartKind::value) {
    return make_expression(range, Wrapped{std::move(parts[0].expression)});
  }
  PartReader reader{parts};
  Template result;
  while (reader.next < parts.size()) {
    result.parts.push_back(build_part(reader));
  }
  return make_expression(range, std::move(result));
}

}  // namespace mbuild::bake::hcl
