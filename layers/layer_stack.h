#pragma once

#include <optional>
#include <span>
#include <string>

namespace mbuild::image {

struct StackedFile {
  int layer;         // descriptor of the layer directory that has the file
  std::string path;  // in it
};

// Finds a path in layer directories as overlay would show it: whiteouts, opaque directories and links in the path
// (within the stack's root) count; the last component is not followed. `layers` are descriptors, top first.
std::optional<StackedFile> find_in_stack(std::span<const int> layers, const std::string& path);

}  // namespace mbuild::image
