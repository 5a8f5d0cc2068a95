#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/display/terminal.h"
#include "executor/api/events.h"

namespace mbuild::cli {

// A terminal display: finished steps scroll up, running ones stay at the bottom with their time and last lines.
class TtyProgress : public executor::ProgressSink {
 public:
  TtyProgress();
  ~TtyProgress() override;

  void vertex(const executor::VertexEvent& event) override;
  void log(const executor::LogEvent& event) override;
  void status(const executor::StatusEvent& event) override;

 private:
  struct Running {
    std::string name;
    std::chrono::steady_clock::time_point started;
    std::string partial;
    std::deque<std::string> lines;
    std::map<std::string, std::string> parts;  // under way, with what is shown of each
  };

  void redraw();
  Piece piece(Style style, std::string text) const;
  Piece row(Style style, std::string_view left, double elapsed) const;
  void loop(std::stop_token stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<executor::VertexId, Running> running_;
  std::vector<Piece> above_;  // finished lines that are not on the screen yet
  std::size_t drawn_rows_ = 0;
  std::size_t width_ = 80, height_ = 24;
  bool colour_ = true;
  std::jthread thread_;
};

}  // namespace mbuild::cli
