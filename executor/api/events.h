#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a build reports while it runs. A superset of BuildKit's SolveStatus: a vertex is a step (or a phase such as
// "exporting to image"); a step that several targets or platforms need is one vertex with several needs.
namespace mbuild::executor {

using VertexId = std::uint32_t;

enum class VertexState { started, cached, completed, failed, cancelled };

struct VertexEvent {
  VertexId id = 0;
  VertexState state = VertexState::started;
  std::string name;                // on every event
  std::vector<std::string> needs;  // names under which other targets or platforms need it
  std::string error;               // failed: one line
  std::chrono::steady_clock::time_point time;
  std::string platform;   // of a step's programs; "" where it runs none
  bool emulated = false;  // these are another machine's
  // Of an emulated step that has ended well: programs started, and of these, native ones in the place of emulated ones.
  std::uint64_t programs = 0, native = 0;
  bool step = false;             // one of those that were planned; else a phase
  std::vector<VertexId> inputs;  // the steps whose results it reads
  int line = 0;                  // of the Dockerfile; 0: it is of none
};

struct LogEvent {
  VertexId id = 0;
  int stream = 1;         // 1 stdout, 2 stderr
  std::string_view data;  // any bytes
  std::chrono::steady_clock::time_point time;
};

struct StatusEvent {  // progress of a part of a vertex: "sha256:1234 1.2MB / 3MB"
  VertexId id = 0;
  std::string part;
  std::uint64_t current = 0, total = 0;  // bytes; total 0 is unknown
  bool done = false;                     // complete
  bool ended = false;                    // complete or given up: nothing more of it follows
  std::chrono::steady_clock::time_point time;
};

// Receives events from many threads; implementations lock.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void vertex(const VertexEvent& event) = 0;
  virtual void log(const LogEvent& event) = 0;
  virtual void status(const StatusEvent& event) = 0;
  // Before the first step: how many there are that will be told of, run or cached.
  virtual void planned(std::size_t /*steps*/) {}
};

}  // namespace mbuild::executor
