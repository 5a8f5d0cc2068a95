#include <fmt/format.h>

#include <optional>
#include <utility>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluator.h"

namespace mbuild::bake::hcl {

namespace {

using Op = BinaryOperator;

constexpr std::string_view k_invalid_operand = "Invalid operand";

// The operand converted; may be null.
Value operand_of(const Value& value, const Type& type, const Range& range, std::string_view side) {
  try {
    return convert(value, type);
  } catch (const ConversionError& error) {
    fail(range, std::string(k_invalid_operand),
         fmt::format("Unsuitable value for {} operand: {}.", side, error.message));
  }
}

Value present(Value value, const Range& range, std::string_view side) {
  if (value.is_null()) {
    fail(range, "Operation failed", fmt::format("The {} operand is null: argument must not be null.", side));
  }
  return value;
}

Number number_operand(const Expression& expression, const Scope& scope, std::string_view side) {
  const Value value = operand_of(evaluate(expression, scope), number_type(), expression.range, side);
  return as_number(present(value, expression.range, side));
}

Value arithmetic(BinaryOperator op, const Number& a, const Number& b, const Range& range) {
  Number result;
  switch (op) {
    case Op::add:
      result = hcl::add(a, b);
      break;
    case Op::subtract:
      result = hcl::subtract(a, b);
      break;
    case Op::multiply:
      result = hcl::multiply(a, b);
      break;
    case Op::divide:
      result = hcl::divide(a, b);
      break;
    case Op::modulo:
      result = hcl::modulo(a, b);
      break;
    case Op::greater:
      return bool_value(compare(a, b) > 0);
    case Op::greater_equal:
      return bool_value(compare(a, b) >= 0);
    case Op::less:
      return bool_value(compare(a, b) < 0);
    case Op::less_equal:
      return bool_value(compare(a, b) <= 0);
    default:
      std::unreachable();
  }
  if (!is_defined(result)) {
    fail(range, "Operation failed", "The result is not defined, as for zero or infinity divided by itself.");
  }
  return number_value(result);
}

std::optional<bool> truth(const Value& value) { return value.is_null() ? std::nullopt : std::optional(as_bool(value)); }

// The right operand, or nothing where it cannot be evaluated. That its value is no bool is an error in any case.
std::optional<Value> try_right(const Expression& right, const Scope& scope) {
  std::optional<Value> value;
  try {
    value = evaluate(right, scope);
  } catch (const Failure&) {
    return std::nullopt;
  }
  return operand_of(*value, bool_type(), right.range, "right");
}

// A left operand that decides hides what is wrong with the right one. For nulls: false wins in "and", true in "or".
Value evaluate_logic(const Binary& binary, const Range& range, const Scope& scope) {
  const bool deciding = binary.op == Op::logical_or;
  const auto left = truth(operand_of(evaluate(*binary.left, scope), bool_type(), binary.left->range, "left"));
  if (left == deciding) {
    try_right(*binary.right, scope);
    return bool_value(deciding);
  }
  const auto right = truth(operand_of(evaluate(*binary.right, scope), bool_type(), binary.right->range, "right"));
  if (right == deciding) {
    return bool_value(deciding);
  }
  if (left && right) {
    return bool_value(!deciding);
  }
  if (binary.op == Op::logical_and) {
    return bool_value(false);
  }
  fail(range, "Operation failed", "An operand is null: argument must not be null.");
}

}  // namespace

Value evaluate_unary(const Unary& unary, const Scope& scope) {
  const Range& range = unary.operand->range;
  if (unary.op == '-') {
    return number_value(negate(number_operand(*unary.operand, scope, "unary")));
  }
  const Value value = operand_of(evaluate(*unary.operand, scope), bool_type(), range, "unary");
  return bool_value(!as_bool(present(value, range, "unary")));
}

Value evaluate_binary(const Binary& binary, const Range& range, const Scope& scope) {
  switch (binary.op) {
    case Op::logical_or:
    case Op::logical_and:
      return evaluate_logic(binary, range, scope);
    case Op::equal:
    case Op::not_equal: {
      const bool same = hcl::equal(evaluate(*binary.left, scope), evaluate(*binary.right, scope));
      return bool_value(same == (binary.op == Op::equal));
    }
    default: {
      const Number left = number_operand(*binary.left, scope, "left");
      return arithmetic(binary.op, left, number_operand(*binary.right, scope, "right"), range);
    }
  }
}

}  // namespace mbuild::bake::hcl
