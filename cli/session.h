#pragma once

#include <span>
#include <string>

#include "cli/build_record.h"
#include "cli/display/progress.h"
#include "executor/api/build_request.h"

namespace mbuild::cli {

// A session of this process: with what it has around it, the configuration and the source policy that it names, and
// the store at `root` (store_root).
executor::SessionRequest session_request(const std::string& root, bool allow_less_isolation);

// What is kept of a build, as the configuration says; `report` and `profile` are files, "" for none.
RecordRequest record_request(const executor::BuildRequest& request, const std::string& report,
                             const std::string& profile);
RecordRequest record_request(const executor::SessionRequest& session, std::span<const executor::TargetRequest> targets,
                             const std::string& report, const std::string& profile);

// What --progress says, else the environment, else the configuration.
ProgressMode progress_mode(const std::string& flag, bool quiet);

}  // namespace mbuild::cli
