#include "cli/display/progress_tty.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

#include "base/clean_text.h"
#include "cli/display/progress_plain.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {
namespace {

constexpr std::size_t k_digest_shown = 19;  // "sha256:" and 12 digits
constexpr std::size_t k_log_lines = 6;
constexpr std::size_t k_longest_seen = 4096;  // what is longer isn't seen
constexpr auto k_frame = std::chrono::milliseconds(100);

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Cut at a UTF-8 boundary.
std::string_view cut(std::string_view text, std::size_t width) {
  if (text.size() <= width) return text;
  while (width > 0 && (static_cast<unsigned char>(text[width]) & 0xc0) == 0x80) --width;
  return text.substr(0, width);
}

}  // namespace

TtyProgress::TtyProgress() : colour_(std::getenv("NO_COLOR") == nullptr) {
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
    changed_.wait_for(lock, stop, k_frame, [] { return false; });
    redraw();
  }
  running_.clear();
  redraw();
}

Piece TtyProgress::piece(Style style, std::string text) const {
  return {colour_ ? style : Style::plain, std::move(text)};
}

Piece TtyProgress::row(Style style, std::string_view left, double elapsed) const {
  const std::string time = fmt::format(" {:.1f}s", elapsed);
  const std::size_t room = width_ > time.size() + 1 ? width_ - time.size() - 1 : 1;
  const auto shown = cut(left, room);
  return piece(style, fmt::format("{}{:{}}{}\n", shown, "", room - shown.size(), time));
}

void TtyProgress::redraw() {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    width_ = size.ws_col;
    height_ = size.ws_row;
  }
  auto pieces = std::exchange(above_, {});
  std::size_t rows = 0;
  for (const auto& [id, vertex] : running_) {
    if (rows + 2 > height_) break;
    pieces.push_back(row(Style::running, fmt::format(" => {}", vertex.name), seconds_since(vertex.started)));
    ++rows;
    const auto below = [&](std::string_view mark, std::string_view line) {
      if (rows + 2 > height_) return;
      pieces.push_back(
          piece(Style::faint, fmt::format(" => => {}{}\n", mark, cut(line, width_ > 12 ? width_ - 12 : 1))));
      ++rows;
    };
    for (const auto& [part, shown] : vertex.parts) below("", shown);
    for (const auto& line : vertex.lines) below("# ", line);
  }
  draw(std::exchange(drawn_rows_, rows), pieces);
}

void TtyProgress::vertex(const executor::VertexEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(event.id);
  const double elapsed = found == running_.end() ? 0 : seconds_since(found->second.started);
  const std::string name = clean_line(event.name);
  switch (event.state) {
    case executor::VertexState::started:
      running_[event.id] = Running{name, event.time, {}, {}, {}};
      return;
    case executor::VertexState::cached:
      above_.push_back(row(Style::finished, " => CACHED " + name, elapsed));
      break;
    case executor::VertexState::completed:
      above_.push_back(row(Style::finished, " => " + name, elapsed));
      break;
    case executor::VertexState::failed:
      above_.push_back(row(Style::failed, " => ERROR " + name, elapsed));
      break;
    case executor::VertexState::cancelled:
      above_.push_back(row(Style::cancelled, " => CANCELED " + name, elapsed));
      break;
  }
  if (found != running_.end()) running_.erase(found);
}

void TtyProgress::log(const executor::LogEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(event.id);
  if (found == running_.end()) return;
  auto& vertex = found->second;
  for (std::string_view data = event.data; !data.empty();) {
    const auto end = data.find_first_of("\r\n");
    const auto part = data.substr(0, end);
    vertex.partial += part.substr(0, k_longest_seen - std::min(k_longest_seen, vertex.partial.size()));
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + 1);
    if (vertex.partial.empty()) continue;
    vertex.lines.push_back(clean_line(std::exchange(vertex.partial, {})));
    if (vertex.lines.size() > k_log_lines) vertex.lines.pop_front();
  }
}

void TtyProgress::status(const executor::StatusEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(event.id);
  if (found == running_.end()) return;
  if (event.ended) {
    found->second.parts.erase(event.part);
  } else {
    executor::StatusEvent shown = event;
    if (shown.part.starts_with("sha256:")) shown.part = shown.part.substr(0, k_digest_shown);
    found->second.parts[event.part] = part_text(shown);
  }
}

}  // namespace mbuild::cli
