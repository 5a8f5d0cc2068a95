#pragma once

#include <functional>
#include <vector>

#include "cli/build_record.h"
#include "cli/display/progress.h"
#include "cli/display/target_result.h"

namespace mbuild::cli {

// A build of one target or several, shown while it runs, its end, and what is kept of it.
struct ToldBuild {
  ProgressMode mode = ProgressMode::automatic;
  bool explain = false;
  bool summary = true;       // else of a build that went well only warnings are told
  bool opens_shell = false;  // where a RUN failed: nobody need be told how to
  RecordRequest record;
  std::function<void(executor::ProgressSink&)> build;
  std::function<std::vector<TargetResult>()> targets;  // asked for when the build has ended
};

// Returns the exit status; an Error has been told of then. Throws Cancelled, and Error where the build went well and
// its report can't be written.
int run_and_tell(const ToldBuild& build);

}  // namespace mbuild::cli
