#pragma once

#include <string>

#include "worker/ids/id_map.h"
#include "worker/sandbox/sandbox.h"

namespace mbuild::executor {

// What is at `source`, an absolute path without links, for a program in a sandbox: with the ids that make what root
// writes there the caller's. Of an ordinary user root of a container is the user already. Of real root it is an id that
// no account has, so the mount is one that maps ids: the image's 0 is the host's 0 there, and there alone. Throws Error
// (usage) where there is nothing, Error (host) where the file system can't map ids.
SandboxMount host_directory(const std::string& source, const std::string& target, bool read_only, const IdMap& map);

}  // namespace mbuild::executor
