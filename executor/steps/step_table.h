#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "executor/api/acceleration.h"
#include "executor/sources/contexts.h"
#include "executor/steps/keys.h"
#include "executor/steps/snapshot.h"
#include "graph/graph.h"

// What is known of the steps of a build while it runs: what each read, and what it gave.
namespace mbuild::executor {

// What became of a step.
struct Trace {
  Digest key, inputs;                   // "": it was not looked up; key: or is told by what executes the step
  bool reported = false;                // as cached
  std::size_t runs = 0;                 // to its end
  EmulationUse emulation = {};          // of these
  bool executed = false, kept = false;  // kept: there is a result
  bool evicted = false;                 // there was a record, but its layer is gone
  Digest probe;                         // of the destination; "": nothing was probed
  ReadDigests content;                  // what was read of each input
  // Likewise, of directories of the user: what was copied, where it was not what had been selected.
  std::map<std::size_t, std::shared_ptr<const Contexts::Selected>> copied;
};

// What a step's layer lies on; nothing where it lies on nothing.
std::optional<graph::Ref> base_input(const graph::Graph& graph, graph::NodeId id);

// By node. What is of a node is written by one thread before the nodes that use it start.
struct StepTable {
  explicit StepTable(const graph::Graph& of) : graph(of), results(of.nodes.size()), traces(of.nodes.size()) {}

  const graph::Graph& graph;
  std::vector<std::vector<Snapshot>> results;  // by output
  std::vector<Trace> traces;

  const Snapshot& result(graph::Ref ref) const { return results.at(ref.node).at(ref.output); }
  // The snapshot on which a step's layer lies.
  LayerList base_of(graph::NodeId id) const;
  void set_result(graph::NodeId id, std::shared_ptr<const SnapshotLayer> layer);
};

}  // namespace mbuild::executor
