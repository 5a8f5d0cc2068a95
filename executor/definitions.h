#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "executor/definition.h"
#include "planner/plan.h"

namespace mbuild::executor {

// All targets of a session and the graph that they share: equal nodes are one, whichever target they are of. Targets
// are read before those whose contexts they are.
class Definitions {
 public:
  // Throws Error, Cancelled; in a session that keeps going only where no target can be read.
  explicit Definitions(BuildSession& session);
  Definitions(const Definitions&) = delete;
  Definitions& operator=(const Definitions&) = delete;

  // What of the graph is a target's.
  const planner::Plan& plan_of(const Definition& target) const;

  graph::Graph graph;
  std::vector<std::unique_ptr<Definition>> targets;  // by number; null: it failed
  planner::Plan plan;                                // of all
  std::exception_ptr failure;                        // the first

 private:
  void read(std::uint32_t number);
  const frontend::LoweredImage& image_of(const std::string& target, const platforms::Platform& platform) const;

  BuildSession& session_;
  const OwnIds own_ids_;              // by which targets mean different things
  std::vector<planner::Plan> plans_;  // by number; empty where there is one target
};

}  // namespace mbuild::executor
