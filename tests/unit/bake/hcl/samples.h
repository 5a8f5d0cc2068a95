#pragma once

#include <string>
#include <string_view>

#include "bake/hcl/evaluate.h"
#include "bake/hcl/syntax.h"
#include "tests/catch.h"

// Expressions as tests write them.
namespace mbuild::bake::hcl::samples {

// The expression's value as JSON; the scope has words = ["a", "b"], on = true, name = "x", nothing = null.
std::string json_of(std::string_view expression);
// "Summary; Detail" of the failure to parse or evaluate it; "" where there is none.
std::string failure_of(std::string_view expression);
// The value's JSON where its type is `type` as friendly_name() says it, else that type.
std::string typed_json_of(std::string_view expression, std::string_view type);

Value value_of(std::string_view expression);
// Why a definition cannot be parsed, with its place.
std::string parse_failure(std::string_view definition);

}  // namespace mbuild::bake::hcl::samples
