#pragma once

#include <span>
#include <string>
#include <string_view>

#include "bake/hcl/evaluate.h"
#include "bake/hcl/syntax.h"
#include "bake/hcl/value.h"

// The parts of the evaluator, by kinds of expressions. Inner to the room; all throw Failure.
namespace mbuild::bake::hcl {

Value evaluate_unary(const Unary& unary, const Scope& scope);
Value evaluate_binary(const Binary& binary, const Range& range, const Scope& scope);
Value evaluate_conditional(const Conditional& conditional, const Range& range, const Scope& scope);
Value evaluate_call(const Call& call, const Range& range, const Scope& scope);
Value evaluate_for(const For& loop, const Scope& scope);
Value evaluate_splat(const Splat& splat, const Scope& scope);
Value evaluate_template(const Template& form, const Scope& scope);
Value evaluate_template_for(const TemplateFor& form, const Range& range, const Scope& scope);

// The part of a collection that `key` names, as x[key] has it; `attribute`: as x.key has it.
Value part_of(const Value& collection, const Value& key, bool attribute, const Range& range);
// True or false for a condition; `what` it is that has one.
bool condition_of(const Expression& condition, const Scope& scope, std::string_view what);

// The name under which a splat's scope has the element it is at: no name of a definition is like it.
inline constexpr std::string_view k_splat_element = "[*]";

}  // namespace mbuild::bake::hcl
