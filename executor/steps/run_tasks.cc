#include "executor/steps/run_tasks.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "executor/steps/keys.h"

namespace mbuild::executor {
namespace {

// The host's own, without scheme, user, port and path.
std::string_view host_of(std::string_view address) {
  if (const auto scheme = address.find("://"); scheme != address.npos) address.remove_prefix(scheme + 3);
  address = address.substr(0, address.find('/'));
  if (const auto user = address.rfind('@'); user != address.npos) address.remove_prefix(user + 1);
  return address.substr(0, address.starts_with('[') ? address.find(']') + 1 : address.find(':'));
}

bool has_variable(const std::vector<std::string>& env, const std::string& name) {
  for (const auto& entry : env) {
    if (entry.starts_with(name + "=")) return true;
  }
  return false;
}

}  // namespace

std::string loopback_proxy(const std::vector<std::string>& env) {
  for (const auto& entry : env) {
    const auto equals = entry.find('=');
    const std::string name = to_lower(entry.substr(0, equals));
    if (equals == entry.npos || !name.ends_with("_proxy") || name == "no_proxy") continue;
    const std::string host = to_lower(host_of(std::string_view(entry).substr(equals + 1)));
    if (host == "localhost" || host == "[::1]" || host.starts_with("127.")) return entry.substr(0, equals);
  }
  return "";
}

Error run_failure(const graph::ExecOp& op, const RunResult& result, const std::vector<std::string>& env) {
  if (!result.emulator_crash.empty()) {
    return Error(ExitClass::step_failed,
                 fmt::format("the emulator crashed, and again with one processor: {}", result.emulator_crash))
        .with_advice(
            "It is no fault of the program's. Another version of QEMU may do better: put it into a directory that "
            "MBUILD_QEMU_DIR names.");
  }
  const std::string words = join(op.argv, " ");
  Error error(
      ExitClass::step_failed,
      result.signal != 0
          ? fmt::format("process \"{}\" did not complete successfully: signal {} (exit code: {})", words, result.signal,
                        result.exit_code)
          : fmt::format("process \"{}\" did not complete successfully: exit code: {}", words, result.exit_code));
  if (result.signal == 9)
    return std::move(error).with_advice("Signal 9 is often the kernel's answer to a lack of memory.");
  const std::string unreachable_proxy = result.own_network ? loopback_proxy(env) : "";
  if (!unreachable_proxy.empty()) {
    return std::move(error).with_advice(fmt::format(
        "{} names a proxy on the host's loopback, which RUN does not reach. Let the proxy listen where other "
        "machines reach it, or use RUN --network=host and --allow network.host.",
        unreachable_proxy));
  }
  return error;
}

std::string agent_socket(const TargetRequest& request, const std::string& id) {
  std::string socket;
  for (const auto& agent : request.ssh) {
    if (agent.id != id) continue;
    socket = agent.paths.empty() ? "" : agent.paths.front();
  }
  return socket;
}

std::string cache_mount_name(const graph::Mount& mount, const Digest& from) {
  std::string name = mount.id;
  if (mount.uid || mount.gid || mount.mode) {
    name += fmt::format(" [owner {}:{}, mode {:04o}]", mount.uid.value_or(0), mount.gid.value_or(0),
                        mount.mode.value_or(0755));
  }
  if (mount.input < 0) return name;
  return name + fmt::format(" [from {}]", digest_hex(from).substr(0, 16));
}

RunTask RunTasks::begin(graph::NodeId id, std::string layer) const {
  const auto& node = parts_.table.graph.nodes[id];
  const auto& op = std::get<graph::ExecOp>(node.op);
  RunTask task;
  task.layer = std::move(layer);
  task.argv = op.argv;
  task.env = op.env;
  task.env.insert(task.env.end(), op.proxy_env.begin(), op.proxy_env.end());
  task.cwd = op.cwd;
  task.user = op.user;
  task.hostname = op.hostname;
  task.extra_hosts = op.extra_hosts;
  task.network = op.network;
  task.security = op.security;
  task.ulimits = op.ulimits;
  task.shm_size = op.shm_size;
  task.platform = node.platform;
  task.less_isolation = parts_.session.allow_less_isolation;
  return task;
}

void RunTasks::complete(RunTask& task, graph::NodeId id, const std::stop_token& stop) {
  const auto& op = std::get<graph::ExecOp>(parts_.table.graph.nodes[id].op);
  task.root = parts_.workers.bring({parts_.table.base_of(id), {}}, id, stop);
  if (parts_.session.acceleration != Acceleration::off && task.platform && is_foreign(*task.platform)) {
    task.sibling = sibling(id, stop);
  }
  for (std::size_t i = 1; i < op.mounts.size(); ++i) {
    if (auto made = mount(task, id, i, stop)) task.mounts.push_back(std::move(*made));
  }
}

// Where there is none, or it can't be had, all of the step is emulated. What natives compute is that of the platform
// only where both agree on the order of bytes.
std::optional<LayerIds> RunTasks::sibling(graph::NodeId id, const std::stop_token& stop) {
  const auto* descriptor = platforms::find_descriptor(*parts_.table.graph.nodes[id].platform);
  if (descriptor == nullptr || !descriptor->little_endian) return std::nullopt;
  try {
    if (const auto found = parts_.siblings.find(id)) return parts_.workers.bring(*found, id, stop);
  } catch (const Error&) {
    // It is no reason to fail.
  }
  return std::nullopt;
}

std::optional<TaskMount> RunTasks::mount(RunTask& task, graph::NodeId id, std::size_t index,
                                         const std::stop_token& stop) {
  const auto& op = std::get<graph::ExecOp>(parts_.table.graph.nodes[id].op);
  const auto& mount = op.mounts[index];
  TaskMount out;
  out.kind = mount.kind;
  out.target = mount.target;
  out.read_only = mount.read_only;
  out.selector = mount.selector;
  out.uid = mount.uid;
  out.gid = mount.gid;
  out.mode = mount.mode;
  out.size = mount.size;
  switch (mount.kind) {
    case graph::MountKind::bind:
      out.layers = layers_of(id, index, stop);
      break;
    case graph::MountKind::cache:
      out.cache = cache_name(id, index);
      out.sharing = mount.sharing;
      out.fresh = parts_.table.graph.info[id].front().ignore_cache;
      out.first_content = mount.input >= 0 && parts_.workers.of(id).needs_first_content(out);
      if (out.first_content) out.layers = layers_of(id, index, stop);
      break;
    case graph::MountKind::secret:
      if (!add_secret(task, out, id, mount)) return std::nullopt;
      break;
    case graph::MountKind::ssh:
      if (!add_agent(task, out, id, mount)) return std::nullopt;
      break;
    case graph::MountKind::tmpfs:
      break;
  }
  return out;
}

// False when no file of it is to be mounted.
bool RunTasks::add_secret(RunTask& task, TaskMount& out, graph::NodeId id, const graph::Mount& mount) const {
  const auto value = parts_.targets.secret(id, mount.id);
  if (!value && mount.required)
    throw Error(ExitClass::usage, fmt::format("secret {}: not found", mount.id))
        .with_advice(
            fmt::format("Give it with --secret id={},src=FILE or --secret id={},env=NAME.", mount.id, mount.id));
  if (!mount.env.empty()) task.env.push_back(fmt::format("{}={}", mount.env, value.value_or("")));
  if (!value || !mount.as_file) return false;
  out.content = *value;
  return true;
}

// False when there is none and none is required.
bool RunTasks::add_agent(RunTask& task, TaskMount& out, graph::NodeId id, const graph::Mount& mount) const {
  const auto& op = std::get<graph::ExecOp>(parts_.table.graph.nodes[id].op);
  if (!has_variable(op.env, "SSH_AUTH_SOCK")) task.env.push_back("SSH_AUTH_SOCK=" + mount.target);
  out.agent = parts_.targets.agent(id, mount.id);
  if (!out.agent.empty()) return true;
  if (mount.required) {
    throw Error(ExitClass::usage, fmt::format("unset ssh forward key {}", mount.id))
        .with_advice(fmt::format("Give an agent with --ssh {}.", mount.id));
  }
  return false;
}

std::string RunTasks::cache_name(graph::NodeId id, std::size_t index) const {
  const auto& node = parts_.table.graph.nodes[id];
  const auto& mount = std::get<graph::ExecOp>(node.op).mounts[index];
  if (mount.input < 0) return cache_mount_name(mount, {});
  if (const auto files = parts_.reads.first_content(id, index)) return cache_mount_name(mount, files->digest);
  return cache_mount_name(mount, parts_.table.result(node.inputs.at(static_cast<std::size_t>(mount.input))).digest);
}

LayerIds RunTasks::layers_of(graph::NodeId id, std::size_t index, const std::stop_token& stop) {
  const auto& node = parts_.table.graph.nodes[id];
  const auto input = std::get<graph::ExecOp>(node.op).mounts[index].input;
  if (input < 0) return {};
  const auto source = node.inputs.at(static_cast<std::size_t>(input));
  if (local_source(parts_.table.graph, source) == nullptr) {
    return parts_.workers.bring(parts_.table.result(source), id, stop);
  }
  const auto layer = layer_of_context(id, index, stop);
  const SnapshotLayer shown{.id = layer.id, .result_digest = layer.result_digest};
  return parts_.workers.bring(make_snapshot({std::make_shared<const SnapshotLayer>(shown)}), id, stop);
}

// Files of the user are mounted from a layer of the store that holds what .dockerignore leaves of them, with the owners
// that an image would have.
cache::Layer RunTasks::layer_of_context(graph::NodeId id, std::size_t index, const std::stop_token& stop) {
  const auto& mount = std::get<graph::ExecOp>(parts_.table.graph.nodes[id].op).mounts[index];
  const bool whole = mount.kind == graph::MountKind::cache;
  const std::string path = join_path("/", whole ? "" : mount.selector);
  const graph::FileAction action{.source = path,
                                 .destination = path,
                                 .make_parents = true,
                                 .contents_only = false,  // a directory keeps its mode
                                 .allow_wildcard = false,
                                 .allow_empty_wildcard = false};
  auto files = whole ? parts_.reads.first_content(id, index) : parts_.reads.shown(id, index);
  const Digest key = context_layer_key(path, files->digest);
  const auto lock = parts_.store.lock_layer(key, stop);
  if (const auto record = parts_.store.find_record(key)) {
    if (const auto* layer = parts_.layers.find(record->layers.front())) return *layer;
  }
  FilesTask task;
  task.layer = random_hex(16);
  task.actions = {action};
  task.sources = {{.layers = {}, .user_files = parts_.lent.lend(files)}};
  auto made = parts_.workers.local().apply(task, stop);
  if (!made.copied_anew.empty()) {
    files = Contexts::copied_shown(*files, std::move(made.copied_anew.front().selection));
    parts_.table.traces[id].copied[index] = files;
  }
  const auto& layer = parts_.layers.keep(std::move(made.layer));
  parts_.store.add_record({.content_key = context_layer_key(path, files->digest),
                           .layers = {layer.id},
                           .created = layer.newest_mtime,
                           .duration_ms = 0,
                           .emulator = {},
                           .name = "build context"});
  return layer;
}

}  // namespace mbuild::executor
