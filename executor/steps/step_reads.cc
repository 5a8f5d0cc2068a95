#include "executor/steps/step_reads.h"

#include <vector>

namespace mbuild::executor {

std::shared_ptr<const Contexts::Selected> StepReads::selected(graph::NodeId id, std::size_t index) const {
  const auto& node = table_.graph.nodes[id];
  const auto& action = std::get<graph::FileOp>(node.op).actions.at(index);
  if (action.kind != graph::FileActionKind::copy || action.secondary < 0) return nullptr;
  const auto input = node.inputs.at(static_cast<std::size_t>(action.secondary));
  const auto* local = local_source(table_.graph, input);
  if (local == nullptr) return nullptr;
  const auto& copied = table_.traces[id].copied;
  const auto found = copied.find(index);
  return found != copied.end() ? found->second : targets_.of(input.node).contexts.select(*local, action);
}

std::shared_ptr<const Contexts::Selected> StepReads::below(graph::NodeId id, std::size_t index,
                                                           const std::string& selector) const {
  const auto& node = table_.graph.nodes[id];
  const auto& mount = std::get<graph::ExecOp>(node.op).mounts.at(index);
  if (mount.input < 0) return nullptr;
  const auto input = node.inputs.at(static_cast<std::size_t>(mount.input));
  const auto* local = local_source(table_.graph, input);
  if (local == nullptr) return nullptr;
  const auto& copied = table_.traces[id].copied;
  const auto found = copied.find(index);
  return found != copied.end() ? found->second : targets_.of(input.node).contexts.shown(*local, selector);
}

std::shared_ptr<const Contexts::Selected> StepReads::shown(graph::NodeId id, std::size_t index) const {
  return below(id, index, std::get<graph::ExecOp>(table_.graph.nodes[id].op).mounts.at(index).selector);
}

std::shared_ptr<const Contexts::Selected> StepReads::first_content(graph::NodeId id, std::size_t index) const {
  return below(id, index, "");
}

Digest StepReads::inputs(graph::NodeId id) const {
  const auto& node = table_.graph.nodes[id];
  std::vector<Digest> digests;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (local_source(table_.graph, node.inputs[i]) == nullptr) {
      digests.push_back(table_.result(node.inputs[i]).digest);
      continue;
    }
    const auto index = static_cast<std::int32_t>(i);
    if (const auto* file = std::get_if<graph::FileOp>(&node.op)) {
      for (std::size_t k = 0; k < file->actions.size(); ++k) {
        if (file->actions[k].secondary == index) digests.push_back(selected(id, k)->digest);
      }
    } else if (const auto* exec = std::get_if<graph::ExecOp>(&node.op)) {
      for (std::size_t k = 0; k < exec->mounts.size(); ++k) {
        if (exec->mounts[k].input == index) digests.push_back(shown(id, k)->digest);
      }
    }
  }
  return inputs_key(digests);
}

Digest StepReads::partial_key(graph::NodeId id) const {
  const auto& node = table_.graph.nodes[id];
  const auto* files = std::get_if<graph::FileOp>(&node.op);
  if (files == nullptr || !has_to_be_probed(table_.graph, node)) return {};
  ReadDigests copied;
  for (std::size_t i = 0; i < files->actions.size(); ++i) {
    const auto& action = files->actions[i];
    if (action.kind != graph::FileActionKind::copy || action.secondary < 0) continue;
    const auto taken = selected(id, i);
    copied[i] = taken ? taken->digest : Digest();
  }
  return partial_files_key(node, copied);
}

}  // namespace mbuild::executor
