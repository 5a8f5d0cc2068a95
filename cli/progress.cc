#include "cli/progress.h"

#include <unistd.h>

#include "base/error.h"
#include "cli/progress_json.h"
#include "cli/progress_plain.h"
#include "cli/progress_tty.h"

namespace mbuild::cli {
namespace {

class QuietProgress : public executor::ProgressSink {
 public:
  void vertex(const executor::VertexEvent&) override {}
  void log(const executor::LogEvent&) override {}
  void status(const executor::StatusEvent&) override {}
};

}  // namespace

ProgressMode parse_progress_mode(const std::string& name) {
  if (name == "auto") return ProgressMode::automatic;
  if (name == "plain") return ProgressMode::plain;
  if (name == "tty") return ProgressMode::tty;
  if (name == "quiet" || name == "none") return ProgressMode::quiet;
  if (name == "rawjson") return ProgressMode::json;
  throw Error(ExitClass::usage, "invalid progress mode " + name)
      .with_advice("Modes are auto, plain, tty, quiet, none and rawjson.");
}

std::unique_ptr<executor::ProgressSink> make_progress(ProgressMode mode) {
  if (mode == ProgressMode::automatic) mode = ::isatty(STDERR_FILENO) == 1 ? ProgressMode::tty : ProgressMode::plain;
  if (mode == ProgressMode::quiet) return std::make_unique<QuietProgress>();
  if (mode == ProgressMode::json) return std::make_unique<JsonProgress>();
  if (mode == ProgressMode::plain) return std::make_unique<PlainProgress>();
  return std::make_unique<TtyProgress>();
}

}  // namespace mbuild::cli
