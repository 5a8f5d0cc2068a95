#pragma once

#include <optional>

#include "bake/attributes.h"
#include "bake/hcl/evaluate.h"
#include "bake/hcl/syntax.h"
#include "bake/target.h"

// Between the values of the language and those of a target's attributes.
namespace mbuild::bake {

// What the expression sets the attribute to; nothing for null, which composable attributes are never. Throws
// hcl::Failure.
std::optional<AttributeValue> decode(const AttributeRow& row, const hcl::Expression& expression,
                                     const hcl::Scope& scope);

// What a reference to the attribute stands for, where it is set or not.
hcl::Value to_value(const AttributeRow& row, const AttributeValue* value);

}  // namespace mbuild::bake
