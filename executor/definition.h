#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "executor/build_session.h"
#include "executor/sources/contexts.h"
#include "executor/sources/inputs.h"
#include "frontend/frontend.h"
#include "planner/plan.h"

namespace mbuild::executor {

// A target: what it is read from, its graph, and what of the graph is to be done. It is read, lowered and planned when
// this is made, with the display told; nothing is run. Throws Error, Cancelled.
class Definition {
 public:
  explicit Definition(BuildSession& session);
  Definition(const Definition&) = delete;
  Definition& operator=(const Definition&) = delete;

  // The Dockerfile's lines around the node's instruction, for errors; "" where it is of none.
  std::string excerpt(graph::NodeId id) const;

  Contexts contexts;
  const Inputs inputs;
  const frontend::Request front;
  const frontend::Lowered lowered;
  const planner::Plan plan;
  // Files' times are clamped to this where an output asks for it (--reproducible, rewrite-timestamp).
  const std::optional<std::int64_t> epoch;
};

}  // namespace mbuild::executor
