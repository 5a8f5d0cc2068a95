#include "cli/progress_tty.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "cli/progress_plain.h"

namespace mbuild::cli {
namespace {

constexpr std::size_t k_digest_shown = 19;  // "sha256:" and 12 digits
constexpr std::size_t k_log_lines = 6;
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

std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') {
      out += text[i] == '\t' ? ' ' : text[i];
      continue;
    }
    while (i + 1 < text.size() &&
           !((text[i + 1] >= 'a' && text[i + 1] <= 'z') || (text[i + 1] >= 'A' && text[i + 1] <= 'Z')))
      ++i;
    ++i;
  }
  return out;
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

void TtyProgress::erase() {
  if (drawn_rows_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", drawn_rows_);
  drawn_rows_ = 0;
}

std::string TtyProgress::row(std::string_view left, double elapsed, std::string_view colour) const {
  const std::string time = fmt::format(" {:.1f}s", elapsed);
  const std::size_t room = width_ > time.size() + 1 ? width_ - time.size() - 1 : 1;
  const auto shown = cut(left, room);
  return fmt::format("{}{}{:{}}{}{}\n", colour_ ? colour : "", shown, "", room - shown.size(), time,
                     colour_ ? "\x1b[0m" : "");
}

void TtyProgress::redraw() {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    width_ = size.ws_col;
    height_ = size.ws_row;
  }
  erase();
  std::string text = std::exchange(above_, {});
  std::size_t rows = 0;
  for (const auto& [id, vertex] : running_) {
    if (rows + 2 > height_) break;
    text += row(fmt::format(" => {}", vertex.name), seconds_since(vertex.started), "\x1b[36m");
    ++rows;
    const auto below = [&](std::string_view mark, std::string_view line) {
      if (rows + 2 > height_) return;
      text += fmt::format("{} => => {}{}{}\n", colour_ ? "\x1b[2m" : "", mark, cut(line, width_ > 12 ? width_ - 12 : 1),
                          colour_ ? "\x1b[0m" : "");
      ++rows;
    };
    for (const auto& [part, shown] : vertex.parts) below("", shown);
    for (const auto& line : vertex.lines) below("# ", line);
  }
  drawn_rows_ = rows;
  fmt::print(stderr, "{}", text);
  std::fflush(stderr);
}

void TtyProgress::vertex(const executor::VertexEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(event.id);
  const double elapsed = found == running_.end() ? 0 : seconds_since(found->second.started);
  switch (event.state) {
    case executor::VertexState::started:
      running_[event.id] = Running{event.name, event.time, {}, {}, {}};
      return;
    case executor::VertexState::cached:
      above_ += row(" => CACHED " + event.name, elapsed, "\x1b[34m");
      break;
    case executor::VertexState::completed:
      above_ += row(" => " + event.name, elapsed, "\x1b[34m");
      break;
    case executor::VertexState::failed:
      above_ += row(" => ERROR " + event.name, elapsed, "\x1b[31m");
      break;
    case executor::VertexState::cancelled:
      above_ += row(" => CANCELED " + event.name, elapsed, "\x1b[33m");
      break;
  }
  if (found != running_.end()) running_.erase(found);
}

void TtyProgress::log(const executor::LogEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(event.id);
  if (found == running_.end()) return;
  auto& vertex = found->second;
  for (const char c : event.data) {
    if (c != '\n' && c != '\r') {
      vertex.partial += c;
    } else if (!vertex.partial.empty()) {
      vertex.lines.push_back(without_escapes(printable(std::exchange(vertex.partial, {}))));
      if (vertex.lines.size() > k_log_lines) vertex.lines.pop_front();
    }
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
