#include "executor/steps/step_table.h"

#include <utility>

namespace mbuild::executor {

std::optional<graph::Ref> base_input(const graph::Graph& graph, graph::NodeId id) {
  const auto& node = graph.nodes[id];
  std::int32_t base = -1;
  if (const auto* exec = std::get_if<graph::ExecOp>(&node.op)) base = exec->mounts.front().input;
  if (const auto* file = std::get_if<graph::FileOp>(&node.op)) base = file->actions.front().input;
  if (base < 0) return std::nullopt;
  return node.inputs.at(static_cast<std::size_t>(base));
}

LayerList StepTable::base_of(graph::NodeId id) const {
  const auto base = base_input(graph, id);
  return base ? result(*base).layers : LayerList();
}

void StepTable::set_result(graph::NodeId id, std::shared_ptr<const SnapshotLayer> layer) {
  LayerList layers = base_of(id);
  layers.push_back(std::move(layer));
  results[id] = {make_snapshot(std::move(layers))};
}

}  // namespace mbuild::executor
