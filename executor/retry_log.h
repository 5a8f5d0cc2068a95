#pragma once

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <string_view>

#include "executor/events.h"

namespace mbuild::executor {

// Shows that a build waits for a registry, and why: a remote::RetryListener.
class RetryLog {
 public:
  explicit RetryLog(ProgressSink& sink) : sink_(sink) {}
  RetryLog(const RetryLog&) = delete;
  RetryLog& operator=(const RetryLog&) = delete;
  ~RetryLog() {
    try {
      if (shown_) report(VertexState::completed);
    } catch (...) {  // nobody can be told
    }
  }

  void operator()(std::string_view reason, std::chrono::milliseconds wait) {
    if (!shown_.exchange(true)) report(VertexState::started);
    const auto line = fmt::format("{}; next attempt in {:.1f} s\n", reason, static_cast<double>(wait.count()) / 1000);
    sink_.log({.id = k_vertex, .stream = 2, .data = line, .time = std::chrono::steady_clock::now()});
  }

 private:
  static constexpr VertexId k_vertex = 0xF1000000;

  void report(VertexState state) {
    VertexEvent event{.id = k_vertex, .state = state, .name = "[internal] registry does not answer as it should"};
    event.time = std::chrono::steady_clock::now();
    sink_.vertex(event);
  }

  ProgressSink& sink_;
  std::atomic<bool> shown_ = false;
};

}  // namespace mbuild::executor
