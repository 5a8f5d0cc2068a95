#pragma once

#include <fmt/format.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "executor/api/vertex.h"

namespace mbuild::executor {

// A vertex of the display that is there once something is written to it.
class LineLog {
 public:
  LineLog(ProgressSink& sink, VertexId id, std::string name) : sink_(sink), id_(id), name_(std::move(name)) {}
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;
  ~LineLog() {
    try {
      if (vertex_) vertex_->complete();
    } catch (...) {  // nobody can be told
    }
  }

  void write(const std::string& line) {
    {
      const std::lock_guard lock(mutex_);
      if (!vertex_) vertex_.emplace(sink_, VertexEvent{.id = id_, .name = name_});
    }
    sink_.log({.id = id_, .stream = 2, .data = line + "\n", .time = std::chrono::steady_clock::now()});
  }

 private:
  ProgressSink& sink_;
  const VertexId id_;
  const std::string name_;
  std::mutex mutex_;
  std::optional<Vertex> vertex_;
};

// Shows that a build waits for a registry, and why: a remote::RetryListener.
class RetryLog {
 public:
  explicit RetryLog(ProgressSink& sink)
      : log_(sink, k_retry_vertex, "[internal] registry does not answer as it should") {}
  void operator()(std::string_view reason, std::chrono::milliseconds wait) {
    log_.write(fmt::format("{}; next attempt in {:.1f} s", reason, static_cast<double>(wait.count()) / 1000));
  }

 private:
  LineLog log_;
};

// Shows which mirrors are passed over: a remote::MirrorListener.
class MirrorLog {
 public:
  explicit MirrorLog(ProgressSink& sink) : log_(sink, k_mirror_vertex, "[internal] mirrors of registries") {}
  void operator()(std::string_view reason) { log_.write(std::string(reason)); }

 private:
  LineLog log_;
};

}  // namespace mbuild::executor
