#pragma once

#include <optional>
#include <string>

#include "worker/snapshot/snapshot_mount.h"

namespace mbuild::executor {

// Where the native equivalents of a step's programs come from.
struct NativeSource {
  Stack sibling;                   // a snapshot of the host's platform: the same step's, or the same base image's
  std::optional<Stack> compilers;  // another, with compilers for the step's platform (compilers.h)
  std::string directory;  // a path on the store's file system for what the sandbox sees of them; made by who runs it
  std::string node;       // the step's host name, and
  std::string machine;    // what uname says to the step, so that native programs take it for the machine
};

}  // namespace mbuild::executor
