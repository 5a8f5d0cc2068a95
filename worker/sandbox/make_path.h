#pragma once

#include <string>
#include <string_view>

#include "worker/sandbox/user.h"

namespace mbuild::executor {

// The resolved path of `path` in the root; what is missing is made: directories 0755, the last component a file unless
// `directory`, all owned by `owner`. Throws Error (step_failed) where that can't be.
std::string make_in_root(int root, std::string_view path, bool directory, const SandboxUser& owner);

}  // namespace mbuild::executor
