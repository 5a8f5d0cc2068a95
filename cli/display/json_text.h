#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace mbuild::cli {

// JSON as commands print it: in ASCII, and what is no UTF-8 replaced. `indent`: -1 for a single line.
std::string json_text(const nlohmann::ordered_json& json, int indent = 2);
std::string json_text(const nlohmann::json& json, int indent = 2);

}  // namespace mbuild::cli
