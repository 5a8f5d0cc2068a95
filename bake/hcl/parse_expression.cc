#include <fmt/format.h>

#include <array>
#include <span>

#include "bake/hcl/parser.h"
#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

// More than anybody writes, and well within a stack: expressions in expressions, and operators or steps in a row.
constexpr int k_depth_limit = 250;
constexpr int k_row_limit = 1000;

struct Operator {
  std::string_view text;
  BinaryOperator op;
};

using Op = BinaryOperator;
constexpr std::array<Operator, 1> k_or{{{"||", Op::logical_or}}};
constexpr std::array<Operator, 1> k_and{{{"&&", Op::logical_and}}};
constexpr std::array<Operator, 2> k_equality{{{"==", Op::equal}, {"!=", Op::not_equal}}};
constexpr std::array<Operator, 4> k_order{
    {{">=", Op::greater_equal}, {"<=", Op::less_equal}, {">", Op::greater}, {"<", Op::less}}};
constexpr std::array<Operator, 2> k_sum{{{"+", Op::add}, {"-", Op::subtract}}};
constexpr std::array<Operator, 3> k_product{{{"*", Op::multiply}, {"/", Op::divide}, {"%", Op::modulo}}};
// From the loosest to the tightest.
constexpr std::array<std::span<const Operator>, 6> k_levels{{k_or, k_and, k_equality, k_order, k_sum, k_product}};

ExpressionPtr parse_operand(Cursor& cursor);

const Operator* operator_at(const Cursor& cursor, std::span<const Operator> level) {
  const Token token = peek(cursor);
  for (const Operator& each : level) {
    if (token.is(each.text)) {
      return &each;
    }
  }
  return nullptr;
}

// Counts one more in a row.
void count_in_row(const Cursor& cursor, int& count) {
  if (++count > k_row_limit) {
    fail(range_of(cursor, peek(cursor)), "Expression too long",
         fmt::format("More than {} operators or steps follow each other.", k_row_limit));
  }
}

ExpressionPtr parse_binary(Cursor& cursor, std::size_t level) {
  if (level == k_levels.size()) {
    return parse_operand(cursor);
  }
  ExpressionPtr left = parse_binary(cursor, level + 1);
  int count = 0;
  while (const Operator* found = operator_at(cursor, k_levels[level])) {
    count_in_row(cursor, count);
    take(cursor);
    ExpressionPtr right = parse_binary(cursor, level + 1);
    const Range range = join(left->range, right->range);
    left = make_expression(range, Binary{found->op, std::move(left), std::move(right)});
  }
  return left;
}

ExpressionPtr parse_conditional(Cursor& cursor) {
  ExpressionPtr condition = parse_binary(cursor, 0);
  if (!take_if(cursor, "?")) {
    return condition;
  }
  ExpressionPtr yes = parse_expression(cursor);
  const Token colon = peek(cursor);
  if (!take_if(cursor, ":")) {
    fail(range_of(cursor, colon), "Missing false expression in conditional",
         fmt::format("Between the two results of a condition stands \":\", but here is {}.", describe(colon)));
  }
  ExpressionPtr no = parse_expression(cursor);
  const Range range = join(condition->range, no->range);
  return make_expression(range, Conditional{std::move(condition), std::move(yes), std::move(no)});
}

void expect(Cursor& cursor, std::string_view punctuation, std::string_view summary, std::string_view where) {
  const Token token = peek(cursor);
  if (!take_if(cursor, punctuation)) {
    fail(range_of(cursor, token), std::string(summary),
         fmt::format("\"{}\" is missing {}: here is {}.", punctuation, where, describe(token)));
  }
}

// Items with commas between them, up to the closing bracket, which is taken.
template <typename Item>
void parse_items(Cursor& cursor, std::string_view close, std::string_view what, Item item) {
  while (!take_if(cursor, close)) {
    item();
    if (!take_if(cursor, ",")) {
      expect(cursor, close, fmt::format("Missing item separator in {}", what),
             fmt::format("after an item of the {}", what));
      return;
    }
  }
}

ExpressionPtr parse_parentheses(Cursor& cursor, const Token& open) {
  const Newlines newlines(cursor, false);
  ExpressionPtr expression = parse_expression(cursor);
  expect(cursor, ")", "Unbalanced parentheses", "to close the parenthesis");
  return make_expression(range_since(cursor, open.begin), Parentheses{std::move(expression)});
}

ExpressionPtr parse_tuple(Cursor& cursor, const Token& open) {
  const Newlines newlines(cursor, false);
  if (at_for(cursor)) {
    return parse_for(cursor, open, false);
  }
  Tuple tuple;
  parse_items(cursor, "]", "list", [&] { tuple.items.push_back(parse_expression(cursor)); });
  return make_expression(range_since(cursor, open.begin), std::move(tuple));
}

bool ends_key(const Token& token) { return token.is("=") || token.is(":"); }

// A bare name is itself, not what it stands for.
ExpressionPtr parse_key(Cursor& cursor) {
  const Token token = peek(cursor);
  if (token.kind == TokenKind::identifier) {
    Cursor ahead = cursor;
    take(ahead);
    if (ends_key(peek(ahead))) {
      cursor = ahead;
      return make_expression(range_of(cursor, token), Literal{string_value(normalise(token.text))});
    }
  }
  ExpressionPtr key = parse_expression(cursor);
  if (const auto* traversal = std::get_if<Traversal>(&key->form); traversal && !traversal->steps.empty()) {
    fail(key->range, "Ambiguous attribute key",
         "A name with a dot as a key: put it in quotes to have it as it is, or in parentheses for what it stands for.");
  }
  return key;
}

ObjectItem parse_object_item(Cursor& cursor) {
  ObjectItem item;
  item.key = parse_key(cursor);
  const Token token = peek(cursor);
  if (!ends_key(token)) {
    fail(range_of(cursor, token), "Missing key/value separator",
         fmt::format("After a key stands \"=\" or \":\", but here is {}.", describe(token)));
  }
  take(cursor);
  item.value = parse_expression(cursor);
  return item;
}

ExpressionPtr parse_object(Cursor& cursor, const Token& open) {
  {
    const Newlines newlines(cursor, false);
    if (at_for(cursor)) {
      return parse_for(cursor, open, true);
    }
  }
  const Newlines newlines(cursor, true);
  Object object;
  for (skip_newlines(cursor); !take_if(cursor, "}"); skip_newlines(cursor)) {
    object.items.push_back(parse_object_item(cursor));
    const Token token = peek(cursor);
    if (!token.is("}") && !take_if(cursor, ",") && token.kind != TokenKind::newline) {
      fail(range_of(cursor, token), "Missing attribute separator",
           fmt::format("After a value stands a newline, \",\" or \"}}\", but here is {}.", describe(token)));
    }
  }
  return make_expression(range_since(cursor, open.begin), std::move(object));
}

ExpressionPtr parse_call(Cursor& cursor, const Token& name, std::string function) {
  Call call;
  call.name = std::move(function);
  call.name_range = range_since(cursor, name.begin);
  take(cursor);  // "("
  const Newlines newlines(cursor, false);
  while (!take_if(cursor, ")")) {
    call.arguments.push_back(parse_expression(cursor));
    call.expand = take_if(cursor, "...");
    if (call.expand || !take_if(cursor, ",")) {
      expect(cursor, ")", call.expand ? "Missing closing parenthesis" : "Missing argument separator",
             call.expand ? "after the last argument, which \"...\" makes it" : "after an argument");
      break;
    }
  }
  return make_expression(range_since(cursor, name.begin), std::move(call));
}

ExpressionPtr parse_name(Cursor& cursor, const Token& name) {
  const Range range = range_of(cursor, name);
  std::string text = normalise(name.text);
  if (text == "true" || text == "false") {
    return make_expression(range, Literal{bool_value(text == "true")});
  }
  if (text == "null") {
    return make_expression(range, Literal{null_value()});
  }
  if (peek(cursor).is("(")) {
    return parse_call(cursor, name, std::move(text));
  }
  return make_expression(range, Traversal{std::move(text), range, {}});
}

ExpressionPtr parse_unary(Cursor& cursor, const Token& token) {
  ExpressionPtr operand = parse_operand(cursor);
  return make_expression(range_since(cursor, token.begin), Unary{token.text[0], std::move(operand)});
}

[[noreturn]] void no_expression(const Cursor& cursor, const Token& token) {
  fail(range_of(cursor, token), token.kind == TokenKind::end ? "Missing expression" : "Invalid expression",
       fmt::format("An expression is expected here, but there is {}.", describe(token)));
}

ExpressionPtr parse_term(Cursor& cursor) {
  const Token token = peek(cursor);
  if (token.kind == TokenKind::end || token.kind == TokenKind::newline) {
    no_expression(cursor, token);
  }
  take(cursor);
  switch (token.kind) {
    case TokenKind::number:
      return make_expression(range_of(cursor, token), Literal{number_value(*parse_number(token.text))});
    case TokenKind::quote:
      return parse_quoted(cursor, token);
    case TokenKind::heredoc:
      return parse_heredoc(cursor, token);
    case TokenKind::identifier:
      return parse_name(cursor, token);
    default:
      break;
  }
  if (token.is("(")) return parse_parentheses(cursor, token);
  if (token.is("[")) return parse_tuple(cursor, token);
  if (token.is("{")) return parse_object(cursor, token);
  if (token.is("-") || token.is("!")) return parse_unary(cursor, token);
  no_expression(cursor, token);
}

// The text of a string literal or the number of a number literal, which as an index needs no evaluation.
const Value* literal_key(const Expression& key) {
  const auto* literal = std::get_if<Literal>(&key.form);
  const bool fits = literal && (literal->value.type.kind == Kind::string || literal->value.type.kind == Kind::number);
  return fits ? &literal->value : nullptr;
}

ExpressionPtr add_step(ExpressionPtr object, Step step) {
  const Range range = join(object->range, step.range);
  if (const auto* traversal = std::get_if<Traversal>(&object->form)) {
    Traversal longer = *traversal;
    longer.steps.push_back(std::move(step));
    return make_expression(range, std::move(longer));
  }
  if (const auto* traversal = std::get_if<RelativeTraversal>(&object->form)) {
    RelativeTraversal longer = *traversal;
    longer.steps.push_back(std::move(step));
    return make_expression(range, std::move(longer));
  }
  return make_expression(range, RelativeTraversal{std::move(object), {std::move(step)}});
}

// The digits after a dot; "0.1" there is two steps, not a number.
Token take_digits(Cursor& cursor, const Token& number) {
  const std::size_t end = cursor.text.text.find_first_not_of("0123456789", number.begin);
  cursor.offset = end == std::string_view::npos ? cursor.text.text.size() : end;
  return {TokenKind::number, number.begin, cursor.offset,
          cursor.text.text.substr(number.begin, cursor.offset - number.begin)};
}

std::optional<Step> take_attribute_step(Cursor& cursor, const Token& dot) {
  const Token token = peek(cursor);
  if (token.kind == TokenKind::identifier) {
    take(cursor);
    return Step{string_value(normalise(token.text)), true, range_since(cursor, dot.begin)};
  }
  if (token.kind == TokenKind::number) {
    const Token digits = take_digits(cursor, token);
    return Step{number_value(*parse_number(digits.text)), true, range_since(cursor, dot.begin)};
  }
  return std::nullopt;
}

[[noreturn]] void bad_attribute(const Cursor& cursor) {
  const Token token = peek(cursor);
  fail(range_of(cursor, token), "Invalid attribute name",
       fmt::format("After a dot stands the name of an attribute, but here is {}.", describe(token)));
}

ExpressionPtr parse_steps(Cursor& cursor, ExpressionPtr object);

ExpressionPtr make_splat(const Cursor& cursor, ExpressionPtr object, ExpressionPtr each) {
  const Range range = cursor.text.range(object->range.begin, cursor.offset);
  return make_expression(range, Splat{std::move(object), std::move(each)});
}

// ".*", which the names that follow are applied to.
ExpressionPtr parse_attribute_splat(Cursor& cursor, ExpressionPtr object) {
  ExpressionPtr each = make_expression(range_since(cursor, cursor.offset - 1), SplatElement{});
  while (peek(cursor).is(".")) {
    const Token dot = take(cursor);
    auto step = take_attribute_step(cursor, dot);
    if (!step) {
      bad_attribute(cursor);
    }
    each = add_step(std::move(each), std::move(*step));
  }
  return make_splat(cursor, std::move(object), std::move(each));
}

ExpressionPtr parse_dot(Cursor& cursor, ExpressionPtr object, const Token& dot) {
  if (take_if(cursor, "*")) {
    return parse_attribute_splat(cursor, std::move(object));
  }
  auto step = take_attribute_step(cursor, dot);
  if (!step) {
    bad_attribute(cursor);
  }
  return add_step(std::move(object), std::move(*step));
}

ExpressionPtr parse_index(Cursor& cursor, ExpressionPtr object, const Token& open) {
  ExpressionPtr key;
  {
    const Newlines newlines(cursor, false);
    if (take_if(cursor, "*")) {
      expect(cursor, "]", "Invalid splat", "after \"[*\"");
    } else {
      key = parse_expression(cursor);
      expect(cursor, "]", "Missing close bracket on index", "after the index");
    }
  }
  const Range range = range_since(cursor, open.begin);
  if (!key) {
    ExpressionPtr each = parse_steps(cursor, make_expression(range, SplatElement{}));
    return make_splat(cursor, std::move(object), std::move(each));
  }
  if (const Value* value = literal_key(*key)) {
    return add_step(std::move(object), {*value, false, range});
  }
  const Range whole = cursor.text.range(object->range.begin, cursor.offset);
  return make_expression(whole, Index{std::move(object), std::move(key)});
}

ExpressionPtr parse_steps(Cursor& cursor, ExpressionPtr object) {
  int count = 0;
  while (true) {
    count_in_row(cursor, count);
    const Token token = peek(cursor);
    if (token.is(".")) {
      take(cursor);
      object = parse_dot(cursor, std::move(object), token);
    } else if (token.is("[")) {
      take(cursor);
      object = parse_index(cursor, std::move(object), token);
    } else {
      return object;
    }
  }
}

// Counts how deep expressions stand within expressions, so that no text can exhaust the stack.
class Depth {
 public:
  explicit Depth(Cursor& cursor) : cursor_(cursor) {
    if (++cursor.depth > k_depth_limit) {
      fail(range_of(cursor, peek(cursor)), "Expression too deep",
           fmt::format("Expressions may stand within each other {} times.", k_depth_limit));
    }
  }
  ~Depth() { --cursor_.depth; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  Cursor& cursor_;
};

ExpressionPtr parse_operand(Cursor& cursor) {
  const Depth depth(cursor);
  return parse_steps(cursor, parse_term(cursor));
}

}  // namespace

ExpressionPtr parse_expression(Cursor& cursor) {
  const Depth depth(cursor);
  return parse_conditional(cursor);
}

}  // namespace mbuild::bake::hcl
