#pragma once

#include <string>

#include "cli/display/progress.h"
#include "executor/api/build_request.h"

namespace mbuild::cli {

// A session of this process: with what it has around it, the configuration and the source policy that it names, and
// the store at `root` (store_root).
executor::SessionRequest session_request(const std::string& root, bool allow_less_isolation);

// What --progress says, else the environment, else the configuration.
ProgressMode progress_mode(const std::string& flag, bool quiet);

}  // namespace mbuild::cli
