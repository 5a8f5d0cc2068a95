#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "executor/api/events.h"
#include "executor/api/log_limits.h"
#include "worker/worker.h"

namespace mbuild::executor {

// What of a step's output is still to be shown.
class LogMeter {
 public:
  using Clock = std::chrono::steady_clock;
  LogMeter(LogLimits limits, Clock::time_point start) : limits_(limits), start_(start) {}

  struct Part {
    std::string_view data;  // the beginning of it
    std::string note;       // what is to be said after it where the rest begins to be left out
  };
  Part next(std::string_view data, Clock::time_point now);

 private:
  LogLimits limits_;
  Clock::time_point start_;
  std::uint64_t shown_ = 0;
  bool clipping_ = false;
};

// Shows what a step writes as far as the limits allow, and remembers its last lines.
class StepLog final : public StepSink {
 public:
  StepLog(VertexId vertex, ProgressSink& sink, LogLimits limits = {})
      : vertex_(vertex), sink_(sink), meter_(limits, LogMeter::Clock::now()) {}

  void log(int stream, std::string_view data) override;
  void usage(const ResourceUsage&) override {}
  // The last lines of both streams, as they came.
  std::string tail() const;

 private:
  VertexId vertex_;
  ProgressSink& sink_;
  LogMeter meter_;
  std::string tail_;
};

}  // namespace mbuild::executor
