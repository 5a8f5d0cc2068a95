#include "bake/hcl/evaluate.h"

#include <fmt/format.h>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluator.h"

namespace mbuild::bake::hcl {

namespace {

std::optional<Resolved> resolve(const Traversal& traversal, const Scope& scope) {
  for (const Scope* each = &scope; each; each = each->outer) {
    if (const auto found = each->values.find(traversal.root); found != each->values.end()) {
      return Resolved{found->second};
    }
    if (each->lookup) {
      if (auto resolved = each->lookup(traversal)) {
        return resolved;
      }
    }
  }
  return std::nullopt;
}

Value evaluate_traversal(const Traversal& traversal, const Scope& scope) {
  auto resolved = resolve(traversal, scope);
  if (!resolved) {
    fail(traversal.root_range, "Unknown variable", fmt::format("There is no variable named \"{}\".", traversal.root));
  }
  return follow(std::move(resolved->value), std::span(traversal.steps).subspan(resolved->steps));
}

const Value& splat_element(const Range& range, const Scope& scope) {
  for (const Scope* each = &scope; each; each = each->outer) {
    if (const auto found = each->values.find(k_splat_element); found != each->values.end()) {
      return found->second;
    }
  }
  fail(range, "Invalid splat", "A splat's steps are evaluated for its elements only.");
}

Value evaluate_tuple(const Tuple& tuple, const Scope& scope) {
  Elements items;
  items.reserve(tuple.items.size());
  for (const ExpressionPtr& item : tuple.items) {
    items.push_back(evaluate(*item, scope));
  }
  return tuple_value(std::move(items));
}

std::string object_key(const Expression& expression, const Scope& scope) {
  const Value key = evaluate(expression, scope);
  if (key.is_null()) {
    fail(expression.range, "Null value as key", "A key has to be text, and this one is null.");
  }
  try {
    return as_string(convert(key, string_type()));
  } catch (const ConversionError& error) {
    fail(expression.range, "Incorrect key type", fmt::format("The key does not fit: {}.", error.message));
  }
}

Value evaluate_object(const Object& object, const Scope& scope) {
  Members attributes;
  for (const ObjectItem& item : object.items) {
    std::string key = object_key(*item.key, scope);
    if (object.unique && attributes.contains(key)) {
      fail(item.key->range, "Duplicate object attribute",
           fmt::format("An attribute named \"{}\" was defined before.", key));
    }
    attributes.insert_or_assign(std::move(key), evaluate(*item.value, scope));
  }
  return object_value(std::move(attributes));
}

Value evaluate_index(const Index& index, const Range& range, const Scope& scope) {
  const Value object = evaluate(*index.object, scope);
  return part_of(object, evaluate(*index.key, scope), false, range);
}

struct Evaluator {
  const Range& range;
  const Scope& scope;

  Value operator()(const Literal& form) const { return form.value; }
  Value operator()(const Traversal& form) const { return evaluate_traversal(form, scope); }
  Value operator()(const RelativeTraversal& form) const { return follow(evaluate(*form.object, scope), form.steps); }
  Value operator()(const Index& form) const { return evaluate_index(form, range, scope); }
  Value operator()(const Splat& form) const { return evaluate_splat(form, scope); }
  Value operator()(const SplatElement&) const { return splat_element(range, scope); }
  Value operator()(const Unary& form) const { return evaluate_unary(form, scope); }
  Value operator()(const Binary& form) const { return evaluate_binary(form, range, scope); }
  Value operator()(const Conditional& form) const { return evaluate_conditional(form, range, scope); }
  Value operator()(const Call& form) const { return evaluate_call(form, range, scope); }
  Value operator()(const Tuple& form) const { return evaluate_tuple(form, scope); }
  Value operator()(const Object& form) const { return evaluate_object(form, scope); }
  Value operator()(const For& form) const { return evaluate_for(form, scope); }
  Value operator()(const Template& form) const { return evaluate_template(form, scope); }
  Value operator()(const Wrapped& form) const { return evaluate(*form.expression, scope); }
  Value operator()(const Parentheses& form) const { return evaluate(*form.expression, scope); }
  Value operator()(const TemplateFor& form) const { return evaluate_template_for(form, range, scope); }
  Value operator()(const JsonString& form) const { return evaluate(*form.form, scope); }
};

}  // namespace

Value evaluate(const Expression& expression, const Scope& scope) {
  return std::visit(Evaluator{expression.range, scope}, expression.form);
}

Value suitable(const Value& value, const Type& type, const Range& range) {
  try {
    return convert(value, type);
  } catch (const ConversionError& error) {
    fail(range, "Unsuitable value type", fmt::format("Unsuitable value: {}", error.message));
  }
}

Value evaluate_as(const Expression& expression, const Scope& scope, const Type& type) {
  return suitable(evaluate(expression, scope), type, expression.range);
}

}  // namespace mbuild::bake::hcl
