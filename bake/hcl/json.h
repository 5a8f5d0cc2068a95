#pragma once

#include <string>
#include <string_view>

#include "bake/hcl/type.h"
#include "bake/hcl/value.h"

// Values as JSON text.
namespace mbuild::bake::hcl {

// Compact, members sorted, "<>&" escaped; of jsonencode.
std::string to_json(const Value& value);
// Objects and tuples, numbers exact. Throws ConversionError.
Value from_json(std::string_view text);
// A value of the type; where it is dynamic, {"value": ..., "type": ...} is expected. Throws ConversionError.
Value from_json(std::string_view text, const Type& type);
// As a reader of from_json with that type takes it.
std::string to_json(const Value& value, const Type& type);
// "string", ["list","string"], ["object",{"a":"string"}].
std::string type_to_json(const Type& type);

}  // namespace mbuild::bake::hcl
