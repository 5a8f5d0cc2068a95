#pragma once

#include <string>
#include <string_view>

namespace mbuild::cli {

enum class Missing { no_value, error };

// Fills in a template as docker's --format takes them, the part of Go's language that is used in practice: fields
// (".Manifest.Digest", names in any case), variables, pipelines, `range`, `if`, `with`, `else`, `end`, the functions of
// Go and docker (json, join, split, index, len, eq, printf, ...), and "{{-" and "-}}". `data` is a JSON text. A member
// that is not there is "<no value>", or an error where the data is all that there can be; an object with a word after
// it (`.Label "name"`) is its member of that name, "" where it has none. Throws Error (usage) that says what it does
// not understand.
std::string fill_template(std::string_view text, const std::string& data, Missing missing = Missing::no_value);

}  // namespace mbuild::cli
