#pragma once

#include <string>

namespace mbuild::image {

// Removes a file or a directory with all that it holds; links are not followed. Nothing there is no error. Throws
// Error (store).
void remove_tree(int parent, const std::string& name);

}  // namespace mbuild::image
