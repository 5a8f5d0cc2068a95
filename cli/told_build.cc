#include "cli/told_build.h"

#include <chrono>
#include <memory>

#include "base/error.h"
#include "cli/display/end_report.h"
#include "cli/display/report.h"
#include "cli/display/tally.h"

namespace mbuild::cli {

int run_and_tell(const ToldBuild& build) {
  const auto started = std::chrono::steady_clock::now();
  auto sink = make_progress(build.mode);
  Tally tally(*sink);
  const auto ended = [&] { return Ended{build.targets(), tally.totals(), std::chrono::steady_clock::now() - started}; };
  const auto finish_display = [&] {
    sink.reset();
    if (!build.explain) return;
    for (const auto& target : build.targets()) print_explanations(target.result);
  };
  const EndReport report{build.mode};
  try {
    build.build(tally);
  } catch (const Error& error) {
    finish_display();
    report.failed(ended(), error);
    return static_cast<int>(error.exit_class);
  } catch (...) {
    finish_display();
    report.warn(ended());
    throw;
  }
  finish_display();
  report.succeeded(ended());
  return 0;
}

}  // namespace mbuild::cli
