#pragma once

#include <thread>
#include <utility>

#include "base/fd.h"
#include "worker/worker.h"

namespace mbuild::executor {

// Forwards what a step writes to a sink, on a thread of its own.
class OutputPump {
 public:
  explicit OutputPump(StepSink& sink);
  ~OutputPump() { finish(); }
  OutputPump(const OutputPump&) = delete;
  OutputPump& operator=(const OutputPump&) = delete;

  // The ends to write to, once.
  Fd take_stdout() { return std::move(out_.write); }
  Fd take_stderr() { return std::move(err_.write); }
  // Waits until all writers are gone.
  void finish();

 private:
  void pump();

  StepSink& sink_;
  Pipe out_, err_;
  std::jthread thread_;
};

}  // namespace mbuild::executor
