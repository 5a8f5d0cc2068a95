#pragma once

#include "bake/outside.h"
#include "bake/target.h"

namespace mbuild::bake {

// After each merge: what is empty or there twice goes, and the network of the host needs its entitlement.
void normalise(Target& target);

// At the end: defaults, and what has to be right even where nothing is built (files of secrets, keys, platforms,
// annotations, limits). Throws Error (usage) that names the target.
void complete(Target& target, const Outside& outside);

}  // namespace mbuild::bake
