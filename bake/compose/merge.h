#pragma once

#include "bake/compose/yaml.h"

namespace mbuild::bake::compose {

// Puts `over` over what is there: mappings by key, lists one after the other without what is there already.
void merge(Node& into, Node over);

}  // namespace mbuild::bake::compose
