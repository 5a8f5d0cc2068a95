#include "history/recorder.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace mbuild::history {
namespace {

using executor::VertexState;

constexpr std::size_t k_most_log_of_step = std::size_t{1} << 20;
constexpr std::size_t k_most_log = std::size_t{16} << 20;

}  // namespace

Recorder::Recorder(executor::ProgressSink& shown, Fd to, const Beginning& beginning)
    : shown_(shown), to_(std::move(to)) {
  add(to_line(beginning));
}

Time Recorder::since_start(std::chrono::steady_clock::time_point time) const {
  return std::max<Time>(std::chrono::duration_cast<std::chrono::nanoseconds>(time - start_).count(), 0);
}

void Recorder::vertex(const executor::VertexEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    Step step{.id = event.id,
              .state = event.state,
              .name = event.name,
              .platform = event.platform,
              .error = event.error,
              .needs = event.needs,
              .inputs = event.inputs,
              .emulated = event.emulated,
              .planned = event.step,
              .line = event.line,
              .programs = event.programs,
              .native = event.native,
              .started = since_start(event.time),
              .ended = since_start(event.time)};
    const bool started = event.state == VertexState::started;
    const bool is_new = started ? running_.insert(event.id).second : running_.erase(event.id) == 0;
    add(to_line(step, is_new), event.state == VertexState::cached ? When::later : When::now);
  }
  shown_.vertex(event);
}

void Recorder::log(const executor::LogEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    auto& of_step = logged_[event.id];
    const auto room = std::min(k_most_log_of_step - of_step, k_most_log - all_logged_);
    const auto kept = event.data.substr(0, room);
    of_step += kept.size();
    all_logged_ += kept.size();
    left_out_ += event.data.size() - kept.size();
    if (!kept.empty()) add(to_line(LogPiece{event.id, event.stream, since_start(event.time), std::string(kept)}));
  }
  shown_.log(event);
}

void Recorder::status(const executor::StatusEvent& event) {
  if (event.ended) {
    const std::lock_guard lock(mutex_);
    add(to_line(Part{event.id, event.part, event.current, event.total, since_start(event.time)}));
  }
  shown_.status(event);
}

void Recorder::end(End end) {
  const std::lock_guard lock(mutex_);
  end.time = since_start(std::chrono::steady_clock::now());
  if (left_out_ > 0) add(left_out_line(left_out_), When::later);
  add(to_line(end));
}

std::string Recorder::text() {
  const std::lock_guard lock(mutex_);
  write_down();
  if (!to_ || ::lseek(to_.get(), 0, SEEK_SET) < 0) return "";
  return read_all(to_.get());
}

void Recorder::add(const std::string& line, When when) {
  unwritten_ += line;
  if (when == When::now) write_down();
}

void Recorder::write_down() {
  try {
    if (to_) write_all(to_.get(), unwritten_);
  } catch (const Error&) {
    to_.reset();
  }
  unwritten_.clear();
}

}  // namespace mbuild::history
