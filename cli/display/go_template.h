#pragma once

#include <string>
#include <string_view>

namespace mbuild::cli {

// Fills in a template as docker's --format takes them, the part of Go's language that is used in practice: fields
// (".Manifest.Digest", names in any case), pipelines, `range`, `if`, `else`, `end`, the functions json, index, len,
// join, upper, lower, println, and "{{-" and "-}}". `data` is a JSON text. Throws Error (usage) that says what it does
// not understand.
std::string fill_template(std::string_view text, const std::string& data);

}  // namespace mbuild::cli
