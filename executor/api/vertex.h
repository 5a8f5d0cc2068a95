#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "executor/api/events.h"

namespace mbuild::executor {

// Whose ids are which: steps have the numbers of their nodes, the exports the numbers that follow.
inline VertexId export_vertex(std::size_t nodes, std::size_t output) { return static_cast<VertexId>(nodes + output); }
inline constexpr VertexId k_first_cache_export_vertex = 0xE0000000;  // one a cache
inline VertexId definition_vertex(std::uint32_t target) { return 0xF0000000 + 2 * target; }
inline VertexId context_vertex(std::uint32_t target) { return 0xF0000001 + 2 * target; }
inline constexpr VertexId k_retry_vertex = 0xF1000000;
inline constexpr VertexId k_mirror_vertex = 0xF1000001;
inline constexpr VertexId k_first_transfer_vertex = 0xF2000001;  // one a repository and time

// Tells the display of something that begins with this object and ends once: completed, failed or, where nobody says
// how, cancelled.
class Vertex {
 public:
  // `about` has id, name and needs.
  Vertex(ProgressSink& sink, VertexEvent about) : sink_(&sink), about_(std::move(about)) { tell(VertexState::started); }
  Vertex(Vertex&& other) noexcept : sink_(std::exchange(other.sink_, nullptr)), about_(std::move(other.about_)) {}
  Vertex(const Vertex&) = delete;
  Vertex& operator=(const Vertex&) = delete;
  ~Vertex() {
    try {
      cancel();
    } catch (...) {  // nobody can be told
    }
  }

  VertexId id() const { return about_.id; }
  void note_programs(std::uint64_t started, std::uint64_t native) {
    about_.programs = started;
    about_.native = native;
  }
  void complete() { end(VertexState::completed); }
  void cancel() { end(VertexState::cancelled); }
  void fail(std::string error) {
    about_.error = std::move(error);
    end(VertexState::failed);
  }

 private:
  void end(VertexState state) {
    if (sink_ == nullptr) return;
    tell(state);
    sink_ = nullptr;
  }
  void tell(VertexState state) {
    about_.state = state;
    about_.time = std::chrono::steady_clock::now();
    sink_->vertex(about_);
  }

  ProgressSink* sink_;  // null: it has ended
  VertexEvent about_;
};

}  // namespace mbuild::executor
