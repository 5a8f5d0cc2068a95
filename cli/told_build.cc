#include "cli/told_build.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/error.h"
#include "cli/display/end_report.h"
#include "cli/display/report.h"
#include "cli/display/tally.h"
#include "cli/display/terminal.h"
#include "cli/failed_step_shell.h"

namespace mbuild::cli {
namespace {

class Telling {
 public:
  explicit Telling(const ToldBuild& build)
      : build_(build), sink_(make_progress(build.mode)), tally_(*sink_), record_(build.record, tally_) {}

  executor::ProgressSink& sink() { return record_.sink(); }

  void succeeded() {
    finish(nullptr, false);
    build_.summary ? report_.succeeded(ended()) : report_.warn(ended());
    record_.write_files();
  }

  void failed(const Error& error) {
    finish(&error, false);
    report_.failed(ended(), error);
    say_how_to_look();
    write_files_besides();
  }

  void cancelled() {
    finish(nullptr, true);
    report_.warn(ended());
    write_files_besides();
  }

 private:
  // Only where it will work: the step is kept by then.
  void say_how_to_look() const {
    if (build_.opens_shell || build_.mode == ProgressMode::quiet || build_.mode == ProgressMode::json) return;
    const auto targets = build_.targets();
    const bool kept = std::ranges::any_of(targets, [](const auto& one) { return !one.result.failed_step.empty(); });
    if (kept)
      say("`{}` opens a shell in that step, as it was when it failed.\n", debug_command(build_.record.store_root));
  }

  // How the build ended says more than that they can't be written.
  void write_files_besides() {
    try {
      record_.write_files();
    } catch (const Error& error) {
      print_error(error);
    }
  }

  void finish(const Error* error, bool cancelled) {
    sink_.reset();
    record_.end(build_.targets(), error, cancelled);
    if (!build_.explain) return;
    for (const auto& target : build_.targets()) print_explanations(target.result);
  }

  Ended ended() const { return {build_.targets(), tally_.totals(), std::chrono::steady_clock::now() - started_}; }

  const ToldBuild& build_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::unique_ptr<executor::ProgressSink> sink_;
  Tally tally_;
  BuildRecord record_;
  const EndReport report_{build_.mode};
};

}  // namespace

int run_and_tell(const ToldBuild& build) {
  Telling telling(build);
  try {
    build.build(telling.sink());
  } catch (const Error& error) {
    telling.failed(error);
    return static_cast<int>(error.exit_class);
  } catch (const Cancelled&) {
    telling.cancelled();
    throw;
  }
  telling.succeeded();
  return 0;
}

}  // namespace mbuild::cli
