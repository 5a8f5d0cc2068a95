#pragma once

#include <span>
#include <string_view>

namespace mbuild::platforms {

// The text of one platforms/*.toml, as it was when the program was built.
struct Description {
  std::string_view name;  // of the file, without ".toml": "linux-arm-v7"
  std::string_view text;
};

// All of them, by name. Defined in a source that platforms/room.cmake generates.
std::span<const Description> descriptions();

}  // namespace mbuild::platforms
