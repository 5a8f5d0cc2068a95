#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "executor/api/events.h"

namespace mbuild::cli {

struct EmulatedStep {
  std::string name;
  std::chrono::steady_clock::duration took{};
  std::uint64_t programs = 0, native = 0;
};

// What a build came to, as far as its events tell.
struct Totals {
  std::size_t emulated_steps = 0;                               // those that ran
  std::chrono::steady_clock::duration emulated{}, all_steps{};  // sums over steps that ran RUN's programs
  std::vector<EmulatedStep> longest_emulated;                   // three at most, the longest first
  std::uint64_t pulled = 0, pushed = 0;                         // bytes
  std::string failed_platform;                                  // of the first step that failed; "": the host's
  bool step_failed = false, failed_emulated = false;
};

// Adds up events on their way to a display.
class Tally : public executor::ProgressSink {
 public:
  explicit Tally(executor::ProgressSink& shown) : shown_(shown) {}

  void vertex(const executor::VertexEvent& event) override;
  void log(const executor::LogEvent& event) override { shown_.log(event); }
  void status(const executor::StatusEvent& event) override;
  void planned(std::size_t steps) override { shown_.planned(steps); }

  Totals totals() const;

 private:
  void add(const executor::VertexEvent& event);

  executor::ProgressSink& shown_;
  mutable std::mutex mutex_;
  std::map<executor::VertexId, executor::VertexEvent> running_;
  Totals totals_;
};

}  // namespace mbuild::cli
