#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bake/compose/yaml.h"

namespace mbuild::bake::compose {

// Brings services, their builds and secrets to one form: a build that is a path is a mapping, lists of NAME=VALUE are
// mappings, and so is a list of hosts, by name and with a list of addresses each. Throws Error (usage) for what can't
// be one, and for names that are none.
void normalise(Node& model);

// true and false, and the words that YAML 1.1 has for them, in any case.
std::optional<bool> yaml_bool(std::string_view word);

// Refuses members of the map that are neither known nor begin with "x-". `where` is its name in messages.
void check_keys(const Node& map, const std::string& where, const std::vector<std::string>& known);

}  // namespace mbuild::bake::compose
