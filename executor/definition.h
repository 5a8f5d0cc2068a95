#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "executor/build_session.h"
#include "executor/sources/contexts.h"
#include "executor/sources/inputs.h"
#include "frontend/frontend.h"

namespace mbuild::executor {

// Secrets and agents.
using OwnIds = std::set<std::pair<graph::MountKind, std::string>>;

// What a target has to know of the others of its session.
struct Neighbours {
  const graph::Graph& graph;  // of those that were read before
  // frontend::Request
  OwnIds own_ids;
  std::function<const frontend::LoweredImage&(const std::string& target, const platforms::Platform&)> linked;
};

// A target: what it is read from, and what it is lowered to. It is read and lowered when this is made, with the display
// told; nothing is run. Throws Error, Cancelled.
class Definition {
 public:
  Definition(BuildSession& session, std::uint32_t target, const Neighbours& neighbours);
  Definition(const Definition&) = delete;
  Definition& operator=(const Definition&) = delete;

  // The Dockerfile's lines around the instruction of a node of the graph, for errors; "" where it is of none.
  std::string excerpt(const graph::Graph& graph, graph::NodeId id) const;

  const TargetRequest& request;
  BuildResult& result;
  const std::uint32_t number;
  const std::string label;  // "[NAME] " where there are several targets
  Contexts contexts;
  const Inputs inputs;
  const frontend::Request front;
  frontend::Lowered lowered;
  // Files' times are clamped to this where an output asks for it (--reproducible, rewrite-timestamp).
  const std::optional<std::int64_t> epoch;
};

}  // namespace mbuild::executor
