#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/dockerfile/table.h"

namespace mbuild::frontend::dockerfile {

// The values of an instruction's flags.
struct FlagValues {
  std::map<std::string_view, std::vector<std::string>> values;  // by name; boolean ones hold "true" or "false"

  bool has(std::string_view name) const { return values.contains(name); }
  std::string text(std::string_view name) const;  // "" when absent
  std::optional<bool> boolean(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
};

// Checks "--name[=value]" words against the table. Throws Error (usage): unknown flag: --mont (did you mean mount?).
FlagValues parse_flags(const std::vector<std::string>& words, std::span<const FlagInfo> known);

}  // namespace mbuild::frontend::dockerfile
