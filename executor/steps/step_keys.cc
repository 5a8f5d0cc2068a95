#include <algorithm>

#include "base/error.h"
#include "executor/steps/steps.h"
#include "graph/content_parameters.h"

// What a step's result depends on, as digests. See steps.h.
namespace mbuild::executor {
namespace {

const graph::Mount* root_mount(const graph::ExecOp& op) { return &op.mounts.front(); }

}  // namespace

Digest Steps::content_key(graph::NodeId id, std::stop_token stop) {
  const auto& node = environment_.graph.nodes[id];
  if (const auto* exec = std::get_if<graph::ExecOp>(&node.op)) return exec_key(id, *exec, std::move(stop));
  const auto& op = std::get<graph::FileOp>(node.op);
  if (has_to_be_probed(environment_.graph, node)) {
    return key_of_files(id, op, jobs::probe_files(environment_.inner.get(), files_request(id, op, stop), stop));
  }
  return key_of_files(id, op,
                      {.digest = "empty", .complete = true, .selections = std::vector<Digest>(op.actions.size())});
}

Digest Steps::exec_key(graph::NodeId id, const graph::ExecOp& op, std::stop_token stop) {
  auto& content = table_.traces[id].content;
  for (std::size_t i = 0; i < op.mounts.size(); ++i) {
    const auto& mount = op.mounts[i];
    // What a cache mount holds, its first content included, is not in the key.
    if (mount.input < 0 || mount.kind == graph::MountKind::cache) continue;
    content[i] = mount_digest(id, mount, i, stop);
  }
  return run_key(environment_.graph.nodes[id], content);
}

Digest Steps::mount_digest(graph::NodeId id, const graph::Mount& mount, std::size_t index, std::stop_token stop) {
  const auto& node = environment_.graph.nodes[id];
  if (const auto files = reads_.shown(id, index)) return files->digest;
  const auto& snapshot = result(node.inputs.at(static_cast<std::size_t>(mount.input)));
  if (mount.output || &mount == root_mount(std::get<graph::ExecOp>(node.op))) return snapshot.digest;
  return jobs::digest_tree(environment_.inner.get(),
                           {unpacked(snapshot, stop), mount.selector, work_directory(), owner_mode()}, stop);
}

jobs::FilesRequest Steps::files_request(graph::NodeId id, const graph::FileOp& op, std::stop_token stop) {
  const auto& node = environment_.graph.nodes[id];
  jobs::FilesRequest request;
  request.owners = owner_mode();
  const auto base = op.actions.front().input;
  if (base >= 0) request.base = unpacked(result(node.inputs.at(static_cast<std::size_t>(base))), stop);
  request.actions = op.actions;
  request.sources.resize(op.actions.size());
  for (std::size_t i = 0; i < op.actions.size(); ++i) {
    const auto& action = op.actions[i];
    if (action.kind != graph::FileActionKind::copy) continue;
    if (action.secondary < 0) {
      request.sources[i].stack = Stack();
      continue;
    }
    if (const auto taken = reads_.selected(id, i)) {
      request.sources[i].directory = duplicate(taken->directory);
      request.sources[i].selection.shared = {taken, &taken->selection};
    } else {
      request.sources[i].stack = unpacked(result(node.inputs.at(static_cast<std::size_t>(action.secondary))), stop);
    }
  }
  request.work = work_directory();
  return request;
}

// Where a step's partial key was not met, there is hardly a record for it, whatever its content key is. So that is not
// asked for first: the one job that runs the step tells it. (Was there a record after all, the layer turns out to be
// known.) The lock keeps others from doing the same; it is empty when there is something to be looked up.
cache::FileLock Steps::lock_unknown(graph::NodeId id, const Digest& partial, const std::stop_token& stop) {
  const auto& node = environment_.graph.nodes[id];
  const bool ignore_cache = environment_.graph.info[id].front().ignore_cache;
  if (partial.empty() || (!ignore_cache && !environment_.imports.none())) return {};
  const auto is_known = [&] { return !ignore_cache && environment_.store.knows_partial_key(partial); };
  if (is_known()) return {};
  // Before the lock, which steps on other bases share.
  for (const auto& input : node.inputs) {
    if (local_source(environment_.graph, input) == nullptr) unpacked(result(input), stop);
  }
  auto lock = environment_.store.lock_step(partial, stop);
  {
    const std::lock_guard guard(mutex_);
    if (!executed_.insert(partial).second) return {};
  }
  if (is_known()) return {};
  return lock;
}

Digest Steps::key_of_files(graph::NodeId id, const graph::FileOp& op, const jobs::ProbeReply& probe) {
  const auto& node = environment_.graph.nodes[id];
  auto& trace = table_.traces[id];
  for (std::size_t i = 0; i < op.actions.size(); ++i) {
    if (op.actions[i].kind != graph::FileActionKind::copy) continue;
    const auto taken = reads_.selected(id, i);
    trace.content[i] = taken ? taken->digest : probe.selections.at(i);
  }
  trace.probe = probe.complete ? probe.digest : Digest();
  const auto base = op.actions.front().input;
  const bool whole_base = !probe.complete && base >= 0;
  return files_key(node, probe.digest, trace.content,
                   whole_base ? result(node.inputs.at(static_cast<std::size_t>(base))).digest : Digest());
}

}  // namespace mbuild::executor
