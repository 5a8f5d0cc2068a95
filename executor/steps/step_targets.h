#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "executor/api/build_request.h"
#include "executor/sources/contexts.h"
#include "graph/graph.h"

namespace mbuild::executor {

// What steps ask the target that they are of.
struct StepTarget {
  const TargetRequest& request;
  Contexts& contexts;
  // The Dockerfile's lines around the node's instruction, for errors.
  std::function<std::string(graph::NodeId)> excerpt;
};

// Whose a step is. One that several targets share is the first one's, whose directories are as good as those of the
// others: steps of which targets mean different directories, secrets or agents are not one (frontend::Request::own_ids,
// directory_of).
class StepTargets {
 public:
  StepTargets(const graph::Graph& graph, std::map<std::uint32_t, StepTarget> by_number)
      : graph_(graph), by_number_(std::move(by_number)) {}

  const StepTarget& of(graph::NodeId id) const { return by_number_.at(graph_.info[id].front().target); }

  // Of whichever of the step's targets has it.
  std::optional<std::string> secret(graph::NodeId id, const std::string& secret) const;
  // Likewise, the name by which a worker asks for an agent, "" where there is none; and the socket that is meant.
  std::string agent(graph::NodeId id, const std::string& agent) const;
  std::string agent_socket(const std::string& name) const;

 private:
  const graph::Graph& graph_;
  const std::map<std::uint32_t, StepTarget> by_number_;
};

}  // namespace mbuild::executor
