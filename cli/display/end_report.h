#pragma once

#include <string>

#include "cli/display/progress.h"
#include "cli/display/summary.h"

namespace mbuild::cli {

// Says on standard error how a build ended, in the way of its display: a summary for people, objects for programs, and
// annotations for a log that has them (GitHub's).
struct EndReport {
  ProgressMode mode = ProgressMode::automatic;

  void succeeded(const Ended& build) const;
  // The error before the warnings. What can't be written is passed over: the exit status says it all.
  void failed(const Ended& build, const Error& error) const;
  void warn(const Ended& build) const;
};

// As warnings name it.
std::string shown_dockerfile(const executor::TargetRequest& request);

// "::error file=Dockerfile,line=3::message", as a line that GitHub shows at this place; `line` 0 is no place.
std::string annotation(std::string_view kind, std::string_view file, int line, std::string_view message);

}  // namespace mbuild::cli
