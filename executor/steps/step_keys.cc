#include "executor/steps/step_keys.h"

#include <vector>

namespace mbuild::executor {

Digest StepKeys::content_key(graph::NodeId id, const std::stop_token& stop) {
  const auto& node = table_.graph.nodes[id];
  if (std::holds_alternative<graph::ExecOp>(node.op)) return key_of_run(id, stop);
  if (has_to_be_probed(table_.graph, node)) return key_of_files(id, workers_.of(id).probe(files_task(id, stop), stop));
  const auto count = std::get<graph::FileOp>(node.op).actions.size();
  return key_of_files(id, {.destination = "empty", .complete = true, .copied = std::vector<Digest>(count)});
}

Digest StepKeys::key_of_run(graph::NodeId id, const std::stop_token& stop) {
  const auto& node = table_.graph.nodes[id];
  const auto& mounts = std::get<graph::ExecOp>(node.op).mounts;
  auto& content = table_.traces[id].content;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    // What a cache mount holds, its first content included, is not in the key.
    if (mounts[i].input < 0 || mounts[i].kind == graph::MountKind::cache) continue;
    content[i] = mount_digest(id, i, stop);
  }
  return run_key(node, content);
}

Digest StepKeys::mount_digest(graph::NodeId id, std::size_t index, const std::stop_token& stop) {
  const auto& node = table_.graph.nodes[id];
  const auto& mount = std::get<graph::ExecOp>(node.op).mounts[index];
  if (const auto files = reads_.shown(id, index)) return files->digest;
  const auto& snapshot = table_.result(node.inputs.at(static_cast<std::size_t>(mount.input)));
  const bool is_root = index == 0;
  if (mount.output || is_root) return snapshot.digest;
  return workers_.of(id).digest(workers_.bring(snapshot, id, stop), mount.selector, stop);
}

Digest StepKeys::key_of_files(graph::NodeId id, const ProbeResult& probe) {
  const auto& node = table_.graph.nodes[id];
  const auto& actions = std::get<graph::FileOp>(node.op).actions;
  auto& trace = table_.traces[id];
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (actions[i].kind != graph::FileActionKind::copy) continue;
    const auto taken = reads_.selected(id, i);
    trace.content[i] = taken ? taken->digest : probe.copied.at(i);
  }
  trace.probe = probe.complete ? probe.destination : Digest();
  const auto base = actions.front().input;
  const bool whole_base = !probe.complete && base >= 0;
  return files_key(node, probe.destination, trace.content,
                   whole_base ? table_.result(node.inputs.at(static_cast<std::size_t>(base))).digest : Digest());
}

FilesTask StepKeys::files_task(graph::NodeId id, const std::stop_token& stop) {
  const auto& node = table_.graph.nodes[id];
  const auto input = [&](std::int32_t index) { return table_.result(node.inputs.at(static_cast<std::size_t>(index))); };
  FilesTask task;
  task.actions = std::get<graph::FileOp>(node.op).actions;
  const auto base = task.actions.front().input;
  if (base >= 0) task.base = workers_.bring(input(base), id, stop);
  task.sources.resize(task.actions.size());
  for (std::size_t i = 0; i < task.actions.size(); ++i) {
    const auto& action = task.actions[i];
    if (action.kind != graph::FileActionKind::copy) continue;
    if (action.secondary < 0) {
      task.sources[i].layers = LayerIds();
    } else if (auto taken = reads_.selected(id, i)) {
      task.sources[i].user_files = lent_.lend(std::move(taken));
    } else {
      task.sources[i].layers = workers_.bring(input(action.secondary), id, stop);
    }
  }
  return task;
}

}  // namespace mbuild::executor
