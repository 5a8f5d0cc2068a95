#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/display/display_options.h"
#include "cli/display/frame.h"
#include "executor/api/events.h"

namespace mbuild::cli {

// A terminal display: finished steps scroll up as they end, the others stay at the bottom (frame.h). Of what is at the
// bottom never more is written than the window has rows, so that nothing of it gets into the scrollback.
class TtyProgress : public executor::ProgressSink {
 public:
  explicit TtyProgress(DisplayOptions options);
  ~TtyProgress() override;

  void vertex(const executor::VertexEvent& event) override;
  void log(const executor::LogEvent& event) override;
  void status(const executor::StatusEvent& event) override;
  void planned(std::size_t steps) override;

 private:
  struct Running {
    StepShown shown;
    std::string partial;  // a line that has not ended
    bool step = false;    // else a phase
  };
  struct Finished {
    Style style;
    std::string left, time;
  };

  void loop(std::stop_token stop);
  void redraw(bool last);
  void draw_frame(std::vector<Piece> rows, std::size_t above, Window window);

  const DisplayOptions options_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  BuildShown build_;
  std::map<executor::VertexId, Running> running_;
  std::vector<executor::VertexId> order_;  // of the running ones, as they began
  std::vector<Finished> finished_;         // that are not on the screen yet
  std::vector<std::size_t> drawn_;         // columns of the rows at the bottom, as they were drawn
  std::size_t drawn_columns_ = 0;          // of the window then
  std::vector<Piece> last_rows_;
  std::jthread thread_;
};

}  // namespace mbuild::cli
