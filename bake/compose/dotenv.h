#pragma once

#include <map>
#include <string>

#include "bake/compose/interpolation.h"

namespace mbuild::bake::compose {

// The variables of a file of NAME=VALUE (or NAME: VALUE) lines: comments, "export", quotes, and values that name
// others, which are looked for with `lookup` first. `name` is the file's in messages. Throws Error (usage).
std::map<std::string, std::string> parse_dotenv(const std::string& name, const std::string& text, const Lookup& lookup);

}  // namespace mbuild::bake::compose
