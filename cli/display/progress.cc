#include "cli/display/progress.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "cli/display/display_options.h"
#include "cli/display/progress_json.h"
#include "cli/display/progress_plain.h"
#include "cli/display/progress_tty.h"

namespace mbuild::cli {
namespace {

class QuietProgress : public executor::ProgressSink {
 public:
  void vertex(const executor::VertexEvent&) override {}
  void log(const executor::LogEvent&) override {}
  void status(const executor::StatusEvent&) override {}
};

// Goes on without a display when the terminal is lost; who is to end with it is told so by SIGHUP.
class OutlivingProgress : public executor::ProgressSink {
 public:
  explicit OutlivingProgress(std::unique_ptr<executor::ProgressSink> shown) : shown_(std::move(shown)) {}

  void vertex(const executor::VertexEvent& event) override {
    survive([&] { shown_->vertex(event); });
  }
  void log(const executor::LogEvent& event) override {
    survive([&] { shown_->log(event); });
  }
  void status(const executor::StatusEvent& event) override {
    survive([&] { shown_->status(event); });
  }
  void planned(std::size_t steps) override {
    survive([&] { shown_->planned(steps); });
  }

 private:
  template <typename Work>
  void survive(Work&& work) {
    try {
      work();
    } catch (const std::system_error& error) {
      if (error.code().value() != EIO) throw;
      const Fd nowhere = open_file("/dev/null", O_WRONLY);
      ::dup2(nowhere.get(), STDERR_FILENO);
    }
  }

  std::unique_ptr<executor::ProgressSink> shown_;
};

std::unique_ptr<executor::ProgressSink> make_display(ProgressMode mode) {
  if (mode == ProgressMode::automatic) mode = is_lively_terminal() ? ProgressMode::tty : ProgressMode::plain;
  if (mode == ProgressMode::quiet) return std::make_unique<QuietProgress>();
  if (mode == ProgressMode::json) return std::make_unique<JsonProgress>();
  if (mode == ProgressMode::plain) return std::make_unique<PlainProgress>(display_options());
  return std::make_unique<TtyProgress>(display_options());
}

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
  return std::make_unique<OutlivingProgress>(make_display(mode));
}

}  // namespace mbuild::cli
