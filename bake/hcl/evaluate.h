#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bake/hcl/functions.h"
#include "bake/hcl/syntax.h"
#include "bake/hcl/value.h"

// Expressions to values.
namespace mbuild::bake::hcl {

// What a name stands for: the value, and how many steps of the traversal it stands for already (0: the root alone).
struct Resolved {
  Value value;
  std::size_t steps = 0;
};

// Where names are looked for: the values here, then `lookup`, then the outer scope. `lookup` is called each time that a
// name is evaluated, and only then: memory and the detection of cycles are its own concern. It may throw Failure.
struct Scope {
  const Scope* outer = nullptr;
  Members values;
  std::function<std::optional<Resolved>(const Traversal& traversal)> lookup;
  // Functions beyond the standard ones, which win; null: no such function.
  std::function<const Function*(std::string_view name, const Range& range)> function;
  std::optional<std::string> home;  // what homedir() gives
};

// Throws Failure.
Value evaluate(const Expression& expression, const Scope& scope);
// The value converted, as an attribute of that type takes it: else "Unsuitable value type; Unsuitable value: ...
// required".
Value evaluate_as(const Expression& expression, const Scope& scope, const Type& type);
// The same for a value that is there.
Value suitable(const Value& value, const Type& type, const Range& range);
// The part of a value that the steps lead to.
Value follow(Value value, std::span<const Step> steps);

}  // namespace mbuild::bake::hcl
