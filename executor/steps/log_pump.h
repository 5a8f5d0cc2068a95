#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "executor/api/events.h"
#include "executor/api/log_limits.h"

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

// Forwards what a step writes to the progress display as far as the limits allow, and remembers its last lines.
class LogPump {
 public:
  LogPump(VertexId vertex, ProgressSink& sink, LogLimits limits = {});
  ~LogPump();

  // The ends to write to, once.
  Fd take_stdout() { return std::move(out_.write); }
  Fd take_stderr() { return std::move(err_.write); }
  // Waits until all writers are gone, those that were not taken included. The last lines of both streams, as they came.
  std::string finish();

 private:
  void pump();
  void show(int stream, std::string_view data);
  void remember(std::string_view data);

  VertexId vertex_;
  ProgressSink& sink_;
  Pipe out_, err_;
  LogMeter meter_;
  std::string tail_;
  std::jthread thread_;
};

}  // namespace mbuild::executor
