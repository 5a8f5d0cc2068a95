#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "frontend/dockerfile/mount.h"
#include "frontend/lower/state.h"
#include "frontend/lower/text.h"

// RUN --mount. Values are expanded in the stage's variables; `from` was resolved when the step was made.
namespace mbuild::frontend::lowering {
namespace {

using dockerfile::MountSpec;
using dockerfile::MountType;

graph::CacheSharing sharing_of(const MountSpec& spec) {
  switch (spec.sharing.value_or(dockerfile::MountSharing::shared)) {
    case dockerfile::MountSharing::private_copy:
      return graph::CacheSharing::priv;
    case dockerfile::MountSharing::locked:
      return graph::CacheSharing::locked;
    case dockerfile::MountSharing::shared:
      break;
  }
  return graph::CacheSharing::shared;
}

// A target below the current WORKDIR, which an absent one means itself.
std::string absolute_target(const State& state, const std::string& target) {
  std::string path = join_path(working_directory(state), target);
  if (path == "/") throw usage_error("invalid mount target \"/\"");
  return path;
}

// The files of `from`, or of the build context.
std::int32_t mount_input(Lowering& lowering, const MountSpec& spec, StageId source, graph::Node& node) {
  if (source == k_no_stage) return input_index(node, main_context(lowering));
  const Stage& from = lowering.stages[source];
  if (!from.dispatched) {
    throw usage_error(fmt::format("cannot mount from stage {} to {}, stage needs to be defined before current command",
                                  go_quote(spec.from), go_quote(spec.target)));
  }
  return input_index(node, from.tree ? std::optional(from.tree->ref) : from.state.root);
}

std::string selector_of(const MountSpec& spec) {
  const std::string path = join_path("/", spec.source);
  return path == "/" ? "" : path;
}

void set_owner(const MountSpec& spec, graph::Mount& mount) {
  mount.uid = spec.uid;
  mount.gid = spec.gid;
  mount.mode = spec.mode;
}

graph::Mount bind_mount(Lowering& lowering, const State& state, const MountSpec& spec, StageId source,
                        graph::Node& node) {
  graph::Mount mount;
  mount.kind = graph::MountKind::bind;
  mount.target = absolute_target(state, spec.target);
  mount.input = mount_input(lowering, spec, source, node);
  mount.selector = selector_of(spec);
  mount.read_only = spec.read_only;
  return mount;
}

graph::Mount cache_mount(Lowering& lowering, const State& state, const MountSpec& spec, StageId source,
                         graph::Node& node) {
  graph::Mount mount;
  mount.kind = graph::MountKind::cache;
  mount.target = absolute_target(state, spec.target);
  if (source != k_no_stage) mount.input = mount_input(lowering, spec, source, node);
  mount.selector = selector_of(spec);
  mount.read_only = spec.read_only;
  mount.sharing = sharing_of(spec);
  mount.id = spec.id.empty() ? clean_path(spec.target) : spec.id;
  const auto name_space = lowering.build_args.find("BUILDKIT_CACHE_MOUNT_NS");
  if (name_space != lowering.build_args.end() && !name_space->second.empty()) {
    mount.id = name_space->second + "/" + mount.id;
  }
  if (mount.selector.empty()) set_owner(spec, mount);  // of a fresh cache; a subdirectory keeps its own
  return mount;
}

graph::Mount tmpfs_mount(const State& state, const MountSpec& spec) {
  graph::Mount mount;
  mount.kind = graph::MountKind::tmpfs;
  mount.target = absolute_target(state, spec.target);
  mount.read_only = spec.read_only;
  mount.size = static_cast<std::uint64_t>(std::max<std::int64_t>(spec.size, 0));
  return mount;
}

graph::Mount secret_mount(const State& state, const MountSpec& spec) {
  graph::Mount mount;
  mount.kind = graph::MountKind::secret;
  mount.id = !spec.source.empty() ? spec.source : spec.id;
  if (mount.id.empty()) {
    if (spec.target.empty()) throw usage_error("invalid secret mount. one of source, target required");
    mount.id = base_name(spec.target);
  }
  mount.required = spec.required;
  mount.env = spec.env.value_or("");
  if (spec.env && mount.env.empty()) mount.env = mount.id;
  mount.as_file = !spec.env || !spec.target.empty();
  if (mount.as_file) {
    const std::string target = spec.target.empty() ? "/run/secrets/" + base_name(mount.id) : spec.target;
    mount.target = absolute_target(state, target);
  }
  set_owner(spec, mount);
  mount.read_only = true;
  return mount;
}

graph::Mount ssh_mount(const State& state, const MountSpec& spec, std::size_t index) {
  if (!spec.source.empty()) throw usage_error("ssh does not support source");
  graph::Mount mount;
  mount.kind = graph::MountKind::ssh;
  mount.id = spec.id.empty() ? "default" : spec.id;
  mount.required = spec.required;
  mount.target =
      spec.target.empty() ? fmt::format("/run/buildkit/ssh_agent.{}", index) : absolute_target(state, spec.target);
  set_owner(spec, mount);
  return mount;
}

// Puts the mounts in one order whatever their order in the instruction, which does not matter: a parent directory is
// mounted before what is inside. Secrets and ssh sockets come last.
void sort_mounts(graph::Node& node) {
  auto& mounts = std::get<graph::ExecOp>(node.op).mounts;
  const auto rank = [](const graph::Mount& mount) {
    if (mount.kind == graph::MountKind::ssh) return 2;
    return mount.kind == graph::MountKind::secret ? 1 : 0;
  };
  std::stable_sort(mounts.begin() + 1, mounts.end(), [&](const graph::Mount& a, const graph::Mount& b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    return rank(a) == 0 && a.target < b.target;
  });
  const std::vector<graph::Ref> inputs = std::exchange(node.inputs, {});
  for (graph::Mount& mount : mounts) {
    if (mount.input >= 0) mount.input = input_index(node, inputs[static_cast<std::size_t>(mount.input)]);
  }
}

}  // namespace

void lower_mounts(Lowering& lowering, const Stage& stage, const Step& step, const dockerfile::RunInstruction& run,
                  graph::Node& node, std::set<std::string>& secret_variables) {
  const State& state = stage.state;
  auto& mounts = std::get<graph::ExecOp>(node.op).mounts;
  const auto expand = [&](std::string_view value) { return expand_word(lowering, stage, step, value); };
  std::size_t agents = 0;
  for (std::size_t i = 0; i < run.mounts.size(); ++i) {
    const MountSpec spec = dockerfile::parse_mount(run.mounts[i], expand);
    const StageId source = i < step.sources.size() ? step.sources[i] : k_no_stage;
    switch (spec.type) {
      case MountType::bind:
        mounts.push_back(bind_mount(lowering, state, spec, source, node));
        break;
      case MountType::cache:
        mounts.push_back(cache_mount(lowering, state, spec, source, node));
        break;
      case MountType::tmpfs:
        mounts.push_back(tmpfs_mount(state, spec));
        break;
      case MountType::secret:
        mounts.push_back(secret_mount(state, spec));
        break;
      case MountType::ssh:
        mounts.push_back(ssh_mount(state, spec, agents++));
        break;
    }
    auto& added = mounts.back();
    if (lowering.shared.request.own_ids.contains({added.kind, added.id})) added.lender = lowering.shared.request.label;
    if (!added.env.empty()) secret_variables.insert(added.env);
  }
  sort_mounts(node);
}

}  // namespace mbuild::frontend::lowering
