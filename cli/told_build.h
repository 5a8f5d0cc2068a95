#pragma once

#include <functional>
#include <vector>

#include "cli/display/progress.h"
#include "cli/display/target_result.h"

namespace mbuild::cli {

// A build of one target or several, shown while it runs, and its end.
struct ToldBuild {
  ProgressMode mode = ProgressMode::automatic;
  bool explain = false;
  std::function<void(executor::ProgressSink&)> build;
  std::function<std::vector<TargetResult>()> targets;  // asked for when the build has ended
};

// Returns the exit status; an Error has been told of then. Throws Cancelled.
int run_and_tell(const ToldBuild& build);

}  // namespace mbuild::cli
