#include <algorithm>

#include "base/error.h"
#include "executor/steps/steps.h"
#include "graph/content_parameters.h"

// What a step's result depends on, as digests. See steps.h.
namespace mbuild::executor {
namespace {

const graph::Mount* root_mount(const graph::ExecOp& op) { return &op.mounts.front(); }

}  // namespace

// What an action takes from a directory of the user; once it was copied, what was copied.
std::shared_ptr<const Contexts::Selected> Steps::selected(graph::NodeId id, const graph::SourceOp& local,
                                                          const graph::FileAction& action, std::size_t index) {
  const auto& copied = traces_[id].copied;
  const auto found = copied.find(index);
  return found != copied.end() ? found->second : environment_.contexts.select(local, action);
}

std::shared_ptr<const Contexts::Selected> Steps::shown(graph::NodeId id, const graph::SourceOp& local,
                                                       const graph::Mount& mount, std::size_t index) {
  const auto& copied = traces_[id].copied;
  const auto found = copied.find(index);
  return found != copied.end() ? found->second : environment_.contexts.shown(local, mount.selector);
}

// The digests of all that the step has as input, whole snapshots included: no file of a snapshot is read for it.
Digest Steps::inputs_digest(graph::NodeId id) {
  const auto& node = environment_.graph.nodes[id];
  Sha256 hash;
  hash.field("inputs");
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const auto* local = local_source(node.inputs[i]);
    if (local == nullptr) {
      hash.field(result(node.inputs[i]).digest);
      continue;
    }
    const auto index = static_cast<std::int32_t>(i);
    if (const auto* file = std::get_if<graph::FileOp>(&node.op)) {
      for (std::size_t k = 0; k < file->actions.size(); ++k) {
        const auto& action = file->actions[k];
        if (action.secondary == index) hash.field(selected(id, *local, action, k)->digest);
      }
    } else if (const auto* exec = std::get_if<graph::ExecOp>(&node.op)) {
      for (std::size_t k = 0; k < exec->mounts.size(); ++k) {
        const auto& mount = exec->mounts[k];
        if (mount.input == index) hash.field(shown(id, *local, mount, k)->digest);
      }
    }
  }
  return hash.digest();
}

Digest Steps::content_key(graph::NodeId id, std::stop_token stop) {
  const auto& node = environment_.graph.nodes[id];
  if (const auto* exec = std::get_if<graph::ExecOp>(&node.op)) return exec_key(id, *exec, std::move(stop));
  const auto& op = std::get<graph::FileOp>(node.op);
  if (has_to_be_probed(node, op)) {
    return files_key(id, op, jobs::probe_files(environment_.inner.get(), files_request(id, op, stop), stop));
  }
  return files_key(id, op, {.digest = "empty", .complete = true, .selections = std::vector<Digest>(op.actions.size())});
}

Digest Steps::exec_key(graph::NodeId id, const graph::ExecOp& op, std::stop_token stop) {
  const auto& node = environment_.graph.nodes[id];
  Sha256 hash;
  hash.field("exec");
  hash.field(graph::content_parameters(node));
  for (std::size_t i = 0; i < op.mounts.size(); ++i) {
    const auto& mount = op.mounts[i];
    // What a cache mount holds, its first content included, is not in the key.
    if (mount.input < 0 || mount.kind == graph::MountKind::cache) continue;
    hash.field(traces_[id].content[i] = mount_digest(id, mount, i, stop));
  }
  return hash.digest();
}

Digest Steps::mount_digest(graph::NodeId id, const graph::Mount& mount, std::size_t index, std::stop_token stop) {
  const auto& node = environment_.graph.nodes[id];
  const auto input = node.inputs.at(static_cast<std::size_t>(mount.input));
  if (const auto* local = local_source(input)) return shown(id, *local, mount, index)->digest;
  const auto& snapshot = result(input);
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
    const auto input = node.inputs.at(static_cast<std::size_t>(action.secondary));
    if (const auto* local = local_source(input)) {
      const auto taken = selected(id, *local, action, i);
      request.sources[i].directory = taken->directory;
      request.sources[i].selection = {taken, &taken->selection};
    } else {
      request.sources[i].stack = unpacked(result(input), stop);
    }
  }
  request.work = work_directory();
  return request;
}

// Files on an empty base have nothing to be probed, and context files are known from outside.
bool Steps::has_to_be_probed(const graph::Node& node, const graph::FileOp& op) const {
  if (op.actions.front().input >= 0) return true;
  return std::ranges::any_of(op.actions, [&](const graph::FileAction& action) {
    if (!action.owner.empty() || action.unpack) return true;
    return action.secondary >= 0 && local_source(node.inputs.at(static_cast<std::size_t>(action.secondary))) == nullptr;
  });
}

// The content key as far as it is known without a look at a snapshot; "" where that is all of it, and for a RUN.
Digest Steps::partial_key(graph::NodeId id) {
  const auto& node = environment_.graph.nodes[id];
  const auto* files = std::get_if<graph::FileOp>(&node.op);
  if (files == nullptr || !has_to_be_probed(node, *files)) return {};
  const auto& op = *files;
  Sha256 hash;
  hash.field("files in part");
  hash.field(graph::content_parameters(node));
  for (std::size_t i = 0; i < op.actions.size(); ++i) {
    const auto& action = op.actions[i];
    if (action.kind != graph::FileActionKind::copy || action.secondary < 0) continue;
    const auto* local = local_source(node.inputs.at(static_cast<std::size_t>(action.secondary)));
    hash.field(local != nullptr ? selected(id, *local, action, i)->digest : Digest());
  }
  return hash.digest();
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
    if (local_source(input) == nullptr) unpacked(result(input), stop);
  }
  auto lock = environment_.store.lock_step(partial, stop);
  {
    const std::lock_guard guard(mutex_);
    if (!executed_.insert(partial).second) return {};
  }
  if (is_known()) return {};
  return lock;
}

Digest Steps::files_key(graph::NodeId id, const graph::FileOp& op, const jobs::ProbeReply& probe) {
  const auto& node = environment_.graph.nodes[id];
  Sha256 hash;
  hash.field("files");
  hash.field(graph::content_parameters(node));
  hash.field(probe.digest);
  for (std::size_t i = 0; i < op.actions.size(); ++i) {
    const auto& action = op.actions[i];
    if (action.kind != graph::FileActionKind::copy) continue;
    const auto* local =
        action.secondary < 0 ? nullptr : local_source(node.inputs.at(static_cast<std::size_t>(action.secondary)));
    hash.field(traces_[id].content[i] =
                   local != nullptr ? selected(id, *local, action, i)->digest : probe.selections.at(i));
  }
  const auto base = op.actions.front().input;
  traces_[id].probe = probe.complete ? probe.digest : Digest();
  if (!probe.complete && base >= 0) hash.field(result(node.inputs.at(static_cast<std::size_t>(base))).digest);
  return hash.digest();
}

}  // namespace mbuild::executor
