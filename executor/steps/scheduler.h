#pragma once

#include <functional>
#include <stop_token>

#include "planner/plan.h"

namespace mbuild::executor {

// 0 counts as 1.
struct SchedulerLimits {
  unsigned jobs = 32;          // steps at once
  unsigned emulated_jobs = 4;  // of which emulated
};

// Calls step(node, stop) once for each node of the plan, inputs before users, independent ones in parallel, the longest
// expected path first. The first failure requests stop of all others and is thrown when they have ended; a stop
// requested from outside ends in Cancelled. After a PromiseBroken, running steps go on to their end and no others
// start.
void run_plan(const planner::Plan& plan, const SchedulerLimits& limits,
              const std::function<bool(graph::NodeId)>& is_emulated,
              const std::function<void(graph::NodeId, std::stop_token)>& step, std::stop_token stop);

}  // namespace mbuild::executor
