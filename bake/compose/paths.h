#pragma once

#include <string>

#include "bake/compose/yaml.h"

// The paths in compose files: of contexts, env files, keys and secrets.
namespace mbuild::bake::compose {

// Has the paths of all services and secrets relative to the working directory, which were to `directory`.
void place_paths(Node& model, const std::string& directory);
void place_service(Node& service, const std::string& directory);
// A context that is not said is the directory: for when all files that may say one are merged.
void say_contexts(Node& model, const std::string& directory);

// "~" at the beginning of a path is the user's home; "" leaves it.
void expand_home(Node& model, const std::string& home);

}  // namespace mbuild::bake::compose
