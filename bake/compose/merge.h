#pragma once

#include <string>

#include "bake/compose/yaml.h"

namespace mbuild::bake::compose {

// Brings services and their builds to one form: a build that is a path is a mapping, lists of NAME=VALUE are mappings.
// Throws Error (usage) for what can't be one.
void normalise(Node& model);

// Puts `over` over what is there: mappings by key, lists one after the other without what is there already.
void merge(Node& into, Node over);

// Has the paths of all services and secrets relative to the working directory, which were to `directory`.
void place_paths(Node& model, const std::string& directory);
void place_service(Node& service, const std::string& directory);

}  // namespace mbuild::bake::compose
