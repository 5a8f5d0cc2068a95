#include "cli/display/tally.h"

#include <algorithm>
#include <functional>

namespace mbuild::cli {
namespace {

constexpr std::size_t k_longest_steps = 3;

}  // namespace

using executor::VertexState;

void Tally::vertex(const executor::VertexEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    add(event);
  }
  shown_.vertex(event);
}

void Tally::add(const executor::VertexEvent& event) {
  if (event.state == VertexState::started) {
    running_.insert_or_assign(event.id, event);
    return;
  }
  if (event.state == VertexState::failed && event.step && !totals_.step_failed) {
    totals_.step_failed = true;
    totals_.failed_platform = event.platform;
    totals_.failed_emulated = event.emulated;
  }
  const auto begun = running_.extract(event.id);
  if (!begun || event.platform.empty()) return;
  const auto took = event.time - begun.mapped().time;
  totals_.all_steps += took;
  if (!event.emulated) return;
  totals_.emulated += took;
  ++totals_.emulated_steps;
  auto& longest = totals_.longest_emulated;
  longest.push_back({event.name, took, event.programs, event.native});
  std::ranges::stable_sort(longest, std::greater(), &EmulatedStep::took);
  if (longest.size() > k_longest_steps) longest.pop_back();
}

void Tally::status(const executor::StatusEvent& event) {
  if (event.ended) {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(event.id);
    if (found != running_.end() && found->second.name.starts_with("pull from ")) totals_.pulled += event.current;
    if (found != running_.end() && found->second.name.starts_with("push to ")) totals_.pushed += event.current;
  }
  shown_.status(event);
}

Totals Tally::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace mbuild::cli
