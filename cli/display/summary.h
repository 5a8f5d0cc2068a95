#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/display/tally.h"
#include "cli/display/target_result.h"

// What is said when a build has ended.
namespace mbuild::cli {

struct Ended {
  std::vector<TargetResult> targets;
  Totals totals;
  std::chrono::steady_clock::duration took{};
};

// What was made, where it went, the command that looks at it, and what it took.
std::string success_text(const Ended& build);
// After an error: what was done until then, and how to look at the files that the step found.
std::string failure_text(const Ended& build, const Error& error);

// "3.1s", "2m 05s", "1h 02m".
std::string duration_text(std::chrono::steady_clock::duration duration);

}  // namespace mbuild::cli
