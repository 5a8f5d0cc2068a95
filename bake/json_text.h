#pragma once

#include <string>
#include <string_view>

namespace mbuild::bake {

// JSON with "<", ">" and "&" written as escapes, so that it may stand in HTML, and a newline at its end.
std::string shown_json(std::string_view json);

}  // namespace mbuild::bake
