#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <stop_token>

#include "planner/plan.h"

namespace mbuild::executor {

// Where and how a step runs: what it takes is bounded by class.
enum class StepClass { native, emulated, remote_native, remote_emulated };
inline constexpr std::size_t k_step_classes = 4;

// 0 counts as 1.
struct SchedulerLimits {
  unsigned steps_at_once = 32;                                         // of all classes
  std::array<unsigned, k_step_classes> of_class = {~0U, 4, ~0U, ~0U};  // of which of each class
};

// Calls step(node, stop) once for each node of the plan, inputs before users, independent ones in parallel, the longest
// expected path first. The first failure requests stop of all others and is thrown when they have ended; a stop
// requested from outside ends in Cancelled. After a PromiseBroken, running steps go on to their end and no others
// start.
void run_plan(const planner::Plan& plan, const SchedulerLimits& limits,
              const std::function<StepClass(graph::NodeId)>& class_of,
              const std::function<void(graph::NodeId, std::stop_token)>& step, std::stop_token stop);

}  // namespace mbuild::executor
