#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "bake/outside.h"
#include "bake/overrides.h"
#include "bake/target.h"

namespace mbuild::bake {

// What is to be built: the targets that words of the command line mean, complete with what they inherit and with all
// defaults, and the targets that are contexts of these.
struct Selection {
  std::map<std::string, Target> targets;
  std::map<std::string, Group> groups;  // those that were reached, and "default"
  std::set<std::string> linked;         // targets that are there as contexts of others only
};

// Throws Error (usage).
Selection select(const Definition& definition, const std::vector<std::string>& words, const Overrides& overrides,
                 const Outside& outside);

}  // namespace mbuild::bake
