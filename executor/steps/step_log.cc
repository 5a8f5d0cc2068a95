#include "executor/steps/step_log.h"

#include <fmt/format.h>

#include <algorithm>
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

void StepLog::log(int stream, std::string_view data) {
  tail_ += data;
  if (tail_.size() > 2 * k_tail_bytes) tail_.erase(0, tail_.size() - k_tail_bytes);
  const auto now = std::chrono::steady_clock::now();
  const auto [part, note] = meter_.next(data, now);
  try {
    if (!part.empty()) sink_.log({.id = vertex_, .stream = stream, .data = part, .time = now});
    if (!note.empty()) sink_.log({.id = vertex_, .stream = stream, .data = note, .time = now});
  } catch (const std::exception&) {
    // Nobody can be shown it. The step goes on; whoever reports its end meets the same failure.
  }
}

std::string StepLog::tail() const {
  std::size_t start = tail_.size();
  for (std::size_t lines = 0; start > 0; --start) {
    if (tail_[start - 1] == '\n' && start != tail_.size() && ++lines == k_tail_lines) break;
  }
  return tail_.substr(start);
}

}  // namespace mbuild::executor
