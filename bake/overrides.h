#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bake/outside.h"
#include "bake/target.h"

// --set, and the flags that are short for it.
namespace mbuild::bake {

// "TARGET.KEY[.NAME][+]=VALUE" without the target.
struct Override {
  std::string key;
  std::string name;                  // "" where there is none
  bool appends = false;              // +=
  std::optional<std::string> value;  // none: of an argument that is not there
};

using Overrides = std::map<std::string, std::vector<Override>>;  // by target

// What the texts of --set ask for, by the targets of the definition that their patterns mean. Throws Error (usage).
Overrides parse_overrides(const std::vector<std::string>& texts, const Definition& definition, const Outside& outside);
// Throws Error (usage).
void apply_overrides(const std::vector<Override>& overrides, Target& target);

// "*?[" in it.
bool is_pattern(const std::string& word);
bool matches(const std::string& pattern, const std::string& name);

}  // namespace mbuild::bake
