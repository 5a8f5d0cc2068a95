#include <fmt/format.h>

#include <array>
#include <optional>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluator.h"

// A conditional has one type, whichever result is chosen: so both are evaluated, though what is wrong with the other
// one does not matter.
namespace mbuild::bake::hcl {

namespace {

std::optional<Value> try_evaluate(const Expression& expression, const Scope& scope) {
  try {
    return evaluate(expression, scope);
  } catch (const Failure&) {
    return std::nullopt;
  }
}

}  // namespace

bool condition_of(const Expression& condition, const Scope& scope, std::string_view what) {
  const Value value = evaluate(condition, scope);
  if (value.is_null()) {
    fail(condition.range, "Null condition", fmt::format("The condition of {} is null, and has to be a bool.", what));
  }
  try {
    return as_bool(convert(value, bool_type()));
  } catch (const ConversionError& error) {
    fail(condition.range, "Incorrect condition type",
         fmt::format("The condition of {} has to be a bool: {}.", what, error.message));
  }
}

Value evaluate_conditional(const Conditional& conditional, const Range& range, const Scope& scope) {
  const bool truth = condition_of(*conditional.condition, scope, "a conditional");
  const Expression& chosen = truth ? *conditional.yes : *conditional.no;
  Value value = evaluate(chosen, scope);
  const auto other = try_evaluate(truth ? *conditional.no : *conditional.yes, scope);
  if (!other || other->type == value.type || other->type.kind == Kind::dynamic) {
    return value;
  }
  if (value.type.kind == Kind::dynamic) {
    return null_value(other->type);
  }
  const auto type = unify(std::array{value.type, other->type});
  if (!type) {
    fail(range, "Inconsistent conditional result types",
         fmt::format("Both results have to be of one type, but the true one is {} and the false one {}.",
                     friendly_name((truth ? value : *other).type), friendly_name((truth ? *other : value).type)));
  }
  try {
    return convert(value, *type);
  } catch (const ConversionError& error) {
    fail(chosen.range, "Inconsistent conditional result types", error.message + ".");
  }
}

}  // namespace mbuild::bake::hcl
