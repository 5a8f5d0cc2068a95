#include <fmt/format.h>

#include <array>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluator.h"

// A conditional has one type, whichever result is chosen: so both are evaluated, though what is wrong with the other
// one does not matter, but for the type that it would have had.
namespace mbuild::bake::hcl {

namespace {

Type foreseen_type(const Expression& expression);

// What the form of an expression says of its type; dynamic where that is nothing.
struct Foreseen {
  Type operator()(const Literal& form) const { return form.value.type; }
  Type operator()(const Template&) const { return string_type(); }
  Type operator()(const TemplateFor&) const { return string_type(); }
  Type operator()(const Unary& form) const { return form.op == '-' ? number_type() : bool_type(); }
  Type operator()(const Binary& form) const { return form.op < BinaryOperator::add ? bool_type() : number_type(); }
  Type operator()(const Wrapped& form) const { return foreseen_type(*form.expression); }
  Type operator()(const Parentheses& form) const { return foreseen_type(*form.expression); }
  Type operator()(const JsonString& form) const { return foreseen_type(*form.form); }

  Type operator()(const Tuple& form) const {
    std::vector<Type> items;
    for (const ExpressionPtr& item : form.items) {
      items.push_back(foreseen_type(*item));
    }
    return tuple_of(std::move(items));
  }

  Type operator()(const Object& form) const {
    std::map<std::string, Type, std::less<>> attributes;
    for (const ObjectItem& item : form.items) {
      const auto* key = std::get_if<Literal>(&item.key->form);
      if (!key || key->value.type.kind != Kind::string) {
        return dynamic_type();
      }
      attributes.insert_or_assign(as_string(key->value), foreseen_type(*item.value));
    }
    return object_of(std::move(attributes));
  }

  template <typename Form>
  Type operator()(const Form&) const {
    return dynamic_type();
  }
};

Type foreseen_type(const Expression& expression) { return std::visit(Foreseen{}, expression.form); }

Type type_of_other(const Expression& expression, const Scope& scope) {
  try {
    return evaluate(expression, scope).type;
  } catch (const Failure&) {
    return foreseen_type(expression);
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
  const Type other = type_of_other(truth ? *conditional.no : *conditional.yes, scope);
  if (other == value.type || other.kind == Kind::dynamic) {
    return value;
  }
  if (value.type.kind == Kind::dynamic) {
    return null_value(other);
  }
  const auto type = unify(std::array{value.type, other});
  if (!type) {
    fail(range, "Inconsistent conditional result types",
         fmt::format("Both results have to be of one type, but the true one is {} and the false one {}.",
                     friendly_name(truth ? value.type : other), friendly_name(truth ? other : value.type)));
  }
  try {
    return convert(value, *type);
  } catch (const ConversionError& error) {
    fail(chosen.range, "Inconsistent conditional result types", error.message + ".");
  }
}

}  // namespace mbuild::bake::hcl
