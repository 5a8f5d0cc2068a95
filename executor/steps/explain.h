#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cache/store.h"
#include "executor/api/build_request.h"
#include "executor/steps/step_reads.h"
#include "planner/plan.h"

// Why each step of a build ran: see explain.cc.
namespace mbuild::executor {

// A target whose steps have ended.
struct SeenBuild {
  const TargetRequest& request;
  std::uint32_t target;           // its number
  const std::string& dockerfile;  // its name
  const planner::Plan& plan;
  const StepTable& table;
  const StepReads& reads;
  cache::Store& store;
};

// Why each step ran, or failed, in the order of the graph. What steps read now is remembered for the next time; only
// what changed is written.
std::vector<StepExplanation> explain_steps(const SeenBuild& build);
// The same without the answer.
void remember_steps(const SeenBuild& build);

// Where a step is in a Dockerfile.
struct StepPlace {
  graph::NodeId id = 0;
  std::string stage;       // and platform
  std::size_t number = 0;  // among those of the stage

  std::string text() const;
};

// The places of the plan's steps in the Dockerfile of a target, in the order of the plan.
std::vector<StepPlace> places_of(const graph::Graph& graph, const planner::Plan& plan, std::uint32_t target = 0);

// For each place the index of what was seen of its step before, if it was: by settings, then by place.
std::vector<std::optional<std::size_t>> pair_with_seen(const graph::Graph& graph, const std::vector<StepPlace>& places,
                                                       const std::vector<cache::SeenStep>& seen);

}  // namespace mbuild::executor
