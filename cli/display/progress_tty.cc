#include "cli/display/progress_tty.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/clean_text.h"
#include "cli/display/columns.h"
#include "cli/display/summary.h"
#include "platforms/platform.h"

namespace mbuild::cli {
namespace {

using executor::VertexState;

constexpr std::size_t k_longest_seen = 4096;  // what is longer isn't seen

Window window_of_terminal() {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {.columns = size.ws_col, .rows = size.ws_row};
}

// "emulated", and the platform where it is none that goes without saying.
std::string note_of(const executor::VertexEvent& event) {
  static const std::string k_host = platforms::to_string(platforms::host_platform());
  std::string note = event.emulated ? "emulated" : "";
  if (event.platform.empty() || event.platform == k_host) return note;
  if (event.name.find(event.platform) != std::string::npos) return note;
  return event.platform + (note.empty() ? "" : " " + note);
}

std::pair<Style, std::string> ending(VertexState state) {
  switch (state) {
    case VertexState::cached:
      return {Style::finished, "CACHED "};
    case VertexState::failed:
      return {Style::failed, "ERROR "};
    case VertexState::cancelled:
      return {Style::cancelled, "CANCELED "};
    case VertexState::started:
    case VertexState::completed:
      break;
  }
  return {Style::finished, ""};
}

}  // namespace

TtyProgress::TtyProgress(DisplayOptions options) : options_(std::move(options)) {
  build_.started = std::chrono::steady_clock::now();
  thread_ = std::jthread([this](std::stop_token stop) {
    try {
      loop(std::move(stop));
    } catch (const std::exception&) {  // the terminal is gone
    }
  });
}

TtyProgress::~TtyProgress() {
  thread_.request_stop();
  thread_.join();
}

void TtyProgress::loop(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait_for(lock, stop, options_.frame, [] { return false; });
    if (!stop.stop_requested()) redraw(false);
  }
  redraw(true);
}

void TtyProgress::redraw(bool last) {
  const auto window = window_of_terminal();
  const auto now = std::chrono::steady_clock::now();
  std::vector<Piece> rows;
  for (const auto& step : std::exchange(finished_, {})) {
    rows.push_back({step.style, spread(step.left, step.time, window.columns - 1)});
  }
  const auto above = rows.size();
  build_.running.clear();
  build_.running_steps = 0;
  for (const auto id : order_) {
    const auto& running = running_.at(id);
    build_.running.push_back(&running.shown);
    if (running.step) ++build_.running_steps;
  }
  if (!last) std::ranges::move(frame(build_, window, now), std::back_inserter(rows));
  draw_frame(std::move(rows), above, window);
}

// A window that became narrower has folded the rows that are there, as most terminals do; what does not fit any more
// is out of reach.
void TtyProgress::draw_frame(std::vector<Piece> rows, std::size_t above, Window window) {
  if (above == 0 && std::ranges::equal(rows, last_rows_, {}, &Piece::text, &Piece::text)) return;
  const auto up = std::min(folded_rows(drawn_, window.columns), window.rows - 1);
  draw(up, rows, options_.palette, !drawn_.empty() && window.columns != drawn_columns_);
  drawn_columns_ = window.columns;
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(above));
  drawn_.clear();
  for (const auto& row : rows) drawn_.push_back(columns_of(row.text));
  last_rows_ = std::move(rows);
}

void TtyProgress::planned(std::size_t steps) {
  const std::lock_guard lock(mutex_);
  build_.planned = steps;
}

void TtyProgress::vertex(const executor::VertexEvent& event) {
  const std::lock_guard lock(mutex_);
  const std::string name = clean_line(event.name);
  if (event.state == VertexState::started) {
    const StepShown shown{.name = name, .note = note_of(event), .started = event.time, .lines = {}, .parts = {}};
    if (!running_.contains(event.id)) order_.push_back(event.id);
    running_.insert_or_assign(event.id, Running{.shown = shown, .partial = {}, .step = event.step});
    return;
  }
  const auto found = running_.find(event.id);
  const auto began = found == running_.end() ? event.time : found->second.shown.started;
  const auto [style, word] = ending(event.state);
  finished_.push_back({style, " => " + word + name, duration_text(event.time - began)});
  if (event.step && event.state != VertexState::cancelled) ++build_.done;
  if (event.step && event.state == VertexState::cached) ++build_.cached;
  if (found == running_.end()) return;
  running_.erase(found);
  std::erase(order_, event.id);
}

void TtyProgress::log(const executor::LogEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(event.id);
  if (found == running_.end()) return;
  auto& [shown, partial, step] = found->second;
  for (std::string_view data = event.data; !data.empty();) {
    const auto end = data.find_first_of("\r\n");
    const auto part = data.substr(0, end);
    partial += part.substr(0, k_longest_seen - std::min(k_longest_seen, partial.size()));
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + 1);
    if (partial.empty()) continue;
    shown.lines.push_back(clean_line(std::exchange(partial, {})));
    if (shown.lines.size() > options_.log_lines) shown.lines.pop_front();
  }
}

void TtyProgress::status(const executor::StatusEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(event.id);
  if (found == running_.end()) return;
  auto& parts = found->second.shown.parts;
  if (event.ended) {
    parts.erase(event.part);
    return;
  }
  const PartShown fresh{.name = clean_line(event.part), .started = event.time};
  auto& part = parts.try_emplace(event.part, fresh).first->second;
  part.current = event.current;
  part.total = event.total;
}

}  // namespace mbuild::cli
