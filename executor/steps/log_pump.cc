#include "executor/steps/log_pump.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace mbuild::executor {
namespace {

constexpr std::size_t k_tail_bytes = 8192;
constexpr std::size_t k_tail_lines = 20;

std::string bytes_text(std::uint64_t bytes) {
  for (const auto& [unit, name] :
       {std::pair(std::uint64_t{1} << 20, "MiB"), std::pair(std::uint64_t{1} << 10, "KiB")}) {
    if (bytes >= unit && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, name);
  }
  return fmt::format("{}B", bytes);
}

}  // namespace

LogMeter::Part LogMeter::next(std::string_view data, Clock::time_point now) {
  constexpr auto k_unlimited = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t size = limits_.size == 0 ? k_unlimited : limits_.size;
  const auto seconds = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(now - start_).count());
  const std::uint64_t by_speed = limits_.speed == 0 ? k_unlimited : limits_.speed * std::max<std::uint64_t>(seconds, 1);
  const std::uint64_t room = std::min(size, by_speed) - std::min({size, by_speed, shown_});
  const auto part = data.substr(0, room);
  shown_ += part.size();
  const bool begins = part.size() < data.size() && !clipping_;
  clipping_ = part.size() < data.size();
  if (!begins) return {part, ""};
  const std::string limit = by_speed < size ? bytes_text(limits_.speed) + "/s" : bytes_text(size);
  return {part, fmt::format("\n[output clipped, log limit {} reached]\n", limit)};
}

LogPump::LogPump(VertexId vertex, ProgressSink& sink, LogLimits limits)
    : vertex_(vertex),
      sink_(sink),
      out_(make_pipe()),
      err_(make_pipe()),
      meter_(limits, LogMeter::Clock::now()),
      thread_([this] { pump(); }) {}

LogPump::~LogPump() { finish(); }

void LogPump::pump() {
  char buffer[65536];
  pollfd fds[2] = {{out_.read.get(), POLLIN, 0}, {err_.read.get(), POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (::poll(fds, 2, -1) < 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].revents == 0) continue;
      const ssize_t n = ::read(fds[i].fd, buffer, sizeof buffer);
      if (n <= 0) {
        if (n == 0 || errno != EINTR) fds[i].fd = -1;
        continue;
      }
      const std::string_view data(buffer, static_cast<std::size_t>(n));
      remember(data);
      show(i + 1, data);
    }
  }
}

void LogPump::show(int stream, std::string_view data) {
  const auto now = std::chrono::steady_clock::now();
  const auto [part, note] = meter_.next(data, now);
  try {
    if (!part.empty()) sink_.log({.id = vertex_, .stream = stream, .data = part, .time = now});
    if (!note.empty()) sink_.log({.id = vertex_, .stream = stream, .data = note, .time = now});
  } catch (const std::exception&) {
    // Nobody can be shown it. The step goes on; whoever reports its end meets the same failure.
  }
}

void LogPump::remember(std::string_view data) {
  tail_ += data;
  if (tail_.size() > 2 * k_tail_bytes) tail_.erase(0, tail_.size() - k_tail_bytes);
}

std::string LogPump::finish() {
  out_.write.reset();
  err_.write.reset();
  if (thread_.joinable()) thread_.join();
  std::size_t start = tail_.size();
  for (std::size_t lines = 0; start > 0; --start) {
    if (tail_[start - 1] == '\n' && start != tail_.size() && ++lines == k_tail_lines) break;
  }
  return tail_.substr(start);
}

}  // namespace mbuild::executor
