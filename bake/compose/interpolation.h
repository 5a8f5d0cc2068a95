#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mbuild::bake::compose {

using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

// The text with its variables replaced: $V ${V} ${V:-default} ${V-default} ${V:?error} ${V?error} ${V:+other}
// ${V+other}, what follows the operator being such a text again; "$$" is "$", and so is a "$" before
// anything else. Throws Error (usage).
std::string interpolate(std::string_view text, const Lookup& lookup);

}  // namespace mbuild::bake::compose
