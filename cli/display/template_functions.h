#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

// Values and functions of templates (cli/display/go_template.h).
namespace mbuild::cli {

// Throws Error (usage): what is wrong with a template.
[[noreturn]] void template_error(std::string_view what);

// As Go prints it: "[a b]", "map[k:v]", "<no value>".
std::string template_text(const nlohmann::ordered_json& value);
// What `if` takes for true: anything but false, 0, and what is empty.
bool is_template_true(const nlohmann::ordered_json& value);
// Throws Error (usage) where there is no such function, or it does not take these.
nlohmann::ordered_json call_template_function(const std::string& name,
                                              const std::vector<nlohmann::ordered_json>& arguments);

}  // namespace mbuild::cli
