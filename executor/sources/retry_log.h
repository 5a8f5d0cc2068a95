#pragma once

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "executor/api/events.h"

namespace mbuild::executor {

// A vertex of the display that is there once something is written to it.
class LineLog {
 public:
  LineLog(ProgressSink& sink, VertexId id, std::string name) : sink_(sink), id_(id), name_(std::move(name)) {}
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;
  ~LineLog() {
    try {
      if (shown_) report(VertexState::completed);
    } catch (...) {  // nobody can be told
    }
  }

  void write(const std::string& line) {
    if (!shown_.exchange(true)) report(VertexState::started);
    sink_.log({.id = id_, .stream = 2, .data = line + "\n", .time = std::chrono::steady_clock::now()});
  }

 private:
  void report(VertexState state) {
    VertexEvent event{.id = id_, .state = state, .name = name_};
    event.time = std::chrono::steady_clock::now();
    sink_.vertex(event);
  }

  ProgressSink& sink_;
  const VertexId id_;
  const std::string name_;
  std::atomic<bool> shown_ = false;
};

// Shows that a build waits for a registry, and why: a remote::RetryListener.
class RetryLog {
 public:
  explicit RetryLog(ProgressSink& sink) : log_(sink, 0xF1000000, "[internal] registry does not answer as it should") {}
  void operator()(std::string_view reason, std::chrono::milliseconds wait) {
    log_.write(fmt::format("{}; next attempt in {:.1f} s", reason, static_cast<double>(wait.count()) / 1000));
  }

 private:
  LineLog log_;
};

// Shows which mirrors are passed over: a remote::MirrorListener.
class MirrorLog {
 public:
  explicit MirrorLog(ProgressSink& sink) : log_(sink, 0xF1000001, "[internal] mirrors of registries") {}
  void operator()(std::string_view reason) { log_.write(std::string(reason)); }

 private:
  LineLog log_;
};

}  // namespace mbuild::executor
