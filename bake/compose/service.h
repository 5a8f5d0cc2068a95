#pragma once

#include "bake/compose/project.h"
#include "bake/target.h"

namespace mbuild::bake::compose {

// A target for each service that has a build, and the group "default" of all. Throws Error (usage).
Definition definition_of(const Project& project);

}  // namespace mbuild::bake::compose
