#include <fmt/format.h>

#include <functional>
#include <map>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluator.h"

namespace mbuild::bake::hcl {

namespace {

using Visit = std::function<void(const Scope& scope)>;

// Calls `visit` for each element that the loop's condition lets pass, with the loop's names in the scope.
void for_each(const For& loop, const Scope& scope, const Visit& visit) {
  const Range& range = loop.collection->range;
  const Value collection = evaluate(*loop.collection, scope);
  if (collection.is_null()) {
    fail(range, "Iteration over null value", "A null value has no elements to loop over.");
  }
  Scope inner;
  inner.outer = &scope;
  const auto step = [&](Value key, const Value& value) {
    if (!loop.key_name.empty()) {
      inner.values.insert_or_assign(loop.key_name, std::move(key));
    }
    inner.values.insert_or_assign(loop.value_name, value);
    if (!loop.condition || condition_of(*loop.condition, inner, "a loop")) {
      visit(inner);
    }
  };
  if (is_keyed(collection.type)) {
    for (const auto& [name, member] : members(collection)) {
      step(string_value(name), member);
    }
  } else if (is_sequence(collection.type)) {
    std::int64_t index = 0;
    for (const Value& element : elements(collection)) {
      step(collection.type.kind == Kind::set ? element : number_value(index), element);
      ++index;
    }
  } else {
    fail(range, "Iteration over non-iterable value",
         fmt::format("A value of type {} has no elements to loop over.", friendly_name(collection.type)));
  }
}

std::string key_of(const Expression& expression, const Scope& scope) {
  const Value key = evaluate(expression, scope);
  if (key.is_null()) {
    fail(expression.range, "Invalid object key", "The key is null.");
  }
  try {
    return as_string(convert(key, string_type()));
  } catch (const ConversionError& error) {
    fail(expression.range, "Invalid object key", fmt::format("The key does not fit: {}.", error.message));
  }
}

Value evaluate_groups(const For& loop, const Scope& scope) {
  std::map<std::string, Elements> groups;
  for_each(loop, scope,
           [&](const Scope& inner) { groups[key_of(*loop.key, inner)].push_back(evaluate(*loop.value, inner)); });
  Members members;
  for (auto& [name, group] : groups) {
    members.emplace(name, tuple_value(std::move(group)));
  }
  return object_value(std::move(members));
}

Value evaluate_object_for(const For& loop, const Scope& scope) {
  Members members;
  for_each(loop, scope, [&](const Scope& inner) {
    std::string key = key_of(*loop.key, inner);
    Value value = evaluate(*loop.value, inner);
    const auto [place, added] = members.emplace(std::move(key), std::move(value));
    if (!added) {
      fail(loop.key->range, "Duplicate object key",
           fmt::format("The key \"{}\" comes out of this loop twice. \"...\" after the value groups those of one key.",
                       place->first));
    }
  });
  return object_value(std::move(members));
}

Elements results_of(const For& loop, const Scope& scope) {
  Elements results;
  for_each(loop, scope, [&](const Scope& inner) { results.push_back(evaluate(*loop.value, inner)); });
  return results;
}

// The text of a part of a template.
std::string text_of(const Value& value, const Range& range) {
  if (value.is_null()) {
    fail(range, "Invalid template interpolation value", "The expression result is null, which has no text.");
  }
  try {
    return as_string(convert(value, string_type()));
  } catch (const ConversionError& error) {
    fail(range, "Invalid template interpolation value",
         fmt::format("Cannot include the given value in a string template: {}.", error.message));
  }
}

}  // namespace

Value evaluate_for(const For& loop, const Scope& scope) {
  if (!loop.key) {
    return tuple_value(results_of(loop, scope));
  }
  return loop.group ? evaluate_groups(loop, scope) : evaluate_object_for(loop, scope);
}

Value evaluate_template(const Template& form, const Scope& scope) {
  std::string text;
  for (const ExpressionPtr& part : form.parts) {
    text += text_of(evaluate(*part, scope), part->range);
  }
  return string_value(normalise(text));
}

Value evaluate_template_for(const TemplateFor& form, const Range& range, const Scope& scope) {
  std::string text;
  for (const Value& result : results_of(std::get<For>(form.loop->form), scope)) {
    text += text_of(result, range);
  }
  return string_value(normalise(text));
}

}  // namespace mbuild::bake::hcl
