#pragma once

#include <string>
#include <thread>

#include "base/fd.h"
#include "executor/events.h"

namespace mbuild::executor {

// Forwards what a step writes to the progress display, and remembers its last lines.
class LogPump {
 public:
  LogPump(VertexId vertex, ProgressSink& sink);
  ~LogPump();

  int stdout_fd() const { return out_.write.get(); }
  int stderr_fd() const { return err_.write.get(); }
  // Waits until all writers are gone. The last lines of both streams, as they came.
  std::string finish();

 private:
  void pump();
  void remember(std::string_view data);

  VertexId vertex_;
  ProgressSink& sink_;
  Pipe out_, err_;
  std::string tail_;
  std::jthread thread_;
};

}  // namespace mbuild::executor
