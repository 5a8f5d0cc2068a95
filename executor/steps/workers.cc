#include "executor/steps/workers.h"

#include <algorithm>

#include "executor/steps/keys.h"

namespace mbuild::executor {
namespace {

// Whether a step's task names something that is no value.
bool needs_what_is_lent(const graph::Graph& graph, const graph::Node& node) {
  if (const auto* exec = std::get_if<graph::ExecOp>(&node.op)) {
    return std::ranges::any_of(exec->mounts, [](const auto& mount) { return mount.kind == graph::MountKind::ssh; });
  }
  if (!std::holds_alternative<graph::FileOp>(node.op)) return true;
  return std::ranges::any_of(node.inputs, [&](const auto& input) { return local_source(graph, input) != nullptr; });
}

}  // namespace

bool Workers::is_local(graph::NodeId id) const {
  if (other_.worker == nullptr) return true;
  return !other_.worker->lends() && needs_what_is_lent(graph_, graph_.nodes[id]);
}

LayerIds Workers::bring(const Snapshot& snapshot, graph::NodeId id, const std::stop_token& stop) {
  if (is_local(id)) return fetcher_.fetch(snapshot, stop);
  auto& worker = *other_.worker;
  const auto ids = fetcher_.fetch(snapshot, stop, &other_);
  for (const auto& missing : worker.missing(ids)) {
    const auto* layer = layers_.find(missing);
    if (layer == nullptr) throw vanished_layer(missing);
    worker.put(*layer, [&](const TarSink& sink) { local_.get(missing, sink, stop); }, stop);
  }
  return ids;
}

std::shared_ptr<const HeldLayer> Workers::find(const std::string& layer) const {
  if (other_.worker == nullptr) return nullptr;
  auto found = other_.worker->find(layer);
  return found ? held(std::move(*found)) : nullptr;
}

std::shared_ptr<const HeldLayer> Workers::held(cache::Layer layer) const {
  return std::make_shared<const HeldLayer>(HeldLayer{&other_, std::move(layer)});
}

}  // namespace mbuild::executor
