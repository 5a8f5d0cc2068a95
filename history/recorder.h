#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/fd.h"
#include "history/record.h"

namespace mbuild::history {

// Writes the record of a build while it runs, from its events, which it passes on. A line is written at once where a
// long silence may follow it, in which somebody wants to see it, or the end of the process. A record is a
// convenience: where it can't be written (a full disk, say), the build goes on, and the record has no end.
class Recorder : public executor::ProgressSink {
 public:
  // `to` is empty and stays open for writing. What comes after the first bytes of a log is counted only.
  Recorder(executor::ProgressSink& shown, Fd to, const Beginning& beginning);

  void vertex(const executor::VertexEvent& event) override;
  void log(const executor::LogEvent& event) override;
  void status(const executor::StatusEvent& event) override;
  void planned(std::size_t steps) override { shown_.planned(steps); }

  // Fills in the time.
  void end(End end);
  // All that was written.
  std::string text();

 private:
  enum class When { now, later };  // later: with the next line
  void add(const std::string& line, When when = When::now);
  void write_down();
  Time since_start(std::chrono::steady_clock::time_point time) const;

  executor::ProgressSink& shown_;
  std::mutex mutex_;
  Fd to_;
  std::string unwritten_;
  std::set<executor::VertexId> running_;
  std::map<executor::VertexId, std::size_t> logged_;  // bytes
  std::size_t all_logged_ = 0, left_out_ = 0;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace mbuild::history
