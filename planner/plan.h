#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/digest.h"
#include "graph/graph.h"

// What is to be done for a graph, without looking at any file: which nodes are needed, their definition keys, and in
// which order ready steps are best started.
namespace mbuild::planner {

struct Plan {
  std::vector<graph::NodeId> order;               // needed nodes, inputs before their users
  std::vector<Digest> definition_keys;            // by node id; "" for nodes that are not needed
  std::vector<std::vector<graph::NodeId>> users;  // by node id: needed nodes that read it, without repeats
  std::vector<std::uint32_t> inputs_left;         // by node id: number of distinct nodes it reads
  std::vector<std::int64_t> remaining_ms;         // by node id: longest expected time from its start to a root's end
};

// What durations are remembered by: the parameters of a node alone, since a step that runs again mostly does so because
// its inputs changed.
Digest duration_key(const graph::Node& node);

// Milliseconds that a step took when it last ran, if known.
using ExpectedDuration = std::function<std::optional<std::int64_t>(const Digest& duration_key)>;

Plan make_plan(const graph::Graph& graph, std::span<const graph::Ref> roots, const ExpectedDuration& expected = {});

// Digest of kind, canonical parameters and the definition keys of the inputs. An image source's is that of its layers;
// a local source's that of its name and ignore patterns (what is selected from it counts as an input digest).
Digest definition_key(const graph::Node& node, std::span<const Digest> keys_of_inputs);

}  // namespace mbuild::planner
