#pragma once

#include <string>

namespace mbuild::executor {

// Removes everything a store holds, files of other ids included, and leaves an empty store. Throws Error (store) when a
// build is using it.
void prune_all(const std::string& store_root);

}  // namespace mbuild::executor
