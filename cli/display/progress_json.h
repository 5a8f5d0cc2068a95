#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "executor/api/events.h"
#include "frontend/dockerfile/syntax.h"

namespace mbuild::cli {

// For programs: an object a line, as `docker buildx build --progress rawjson` prints them (SolveStatus of BuildKit,
// client/graph.go): vertexes, statuses or logs, what a step printed in base64.
class JsonProgress : public executor::ProgressSink {
 public:
  void vertex(const executor::VertexEvent& event) override;
  void log(const executor::LogEvent& event) override;
  void status(const executor::StatusEvent& event) override;

 private:
  struct Vertex {
    std::string digest;   // what the other objects name it by
    std::string started;  // RFC 3339
    std::map<std::string, std::string> parts_started;
  };

  Vertex& vertex_of(executor::VertexId id);
  std::string wall_time(std::chrono::steady_clock::time_point time) const;

  std::mutex mutex_;
  std::map<executor::VertexId, Vertex> vertices_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const std::chrono::system_clock::time_point wall_start_ = std::chrono::system_clock::now();
};

// What else a program is told in lines of the same kind: "warnings" as BuildKit has them, and an "error" with message,
// advice, exit status and its place in the Dockerfile.
void print_json_warnings(std::span<const frontend::dockerfile::Warning> warnings);
void print_json_error(const Error& error);

}  // namespace mbuild::cli
