#include <fcntl.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "executor/sources/remote_context.h"
#include "executor/steps/log_pump.h"
#include "executor/steps/steps.h"

// Executing a step that was found in no cache.
namespace mbuild::executor {
namespace {

std::string quoted_log(const std::string& name, const std::string& tail) {
  if (tail.empty()) return "";
  return fmt::format("------\n > {}:\n{}{}------\n", name, tail, tail.ends_with('\n') ? "" : "\n");
}

Error run_failure(const graph::ExecOp& op, const SandboxResult& result, const std::string& unreachable_proxy) {
  const std::string words = join(op.argv, " ");
  Error error(
      ExitClass::step_failed,
      result.signal != 0
          ? fmt::format("process \"{}\" did not complete successfully: signal {} (exit code: {})", words, result.signal,
                        result.exit_code)
          : fmt::format("process \"{}\" did not complete successfully: exit code: {}", words, result.exit_code));
  if (result.signal == 9)
    return std::move(error).with_advice("Signal 9 is often the kernel's answer to a lack of memory.");
  if (!unreachable_proxy.empty()) {
    return std::move(error).with_advice(fmt::format(
        "{} names a proxy on the host's loopback, which RUN does not reach. Let the proxy listen where other "
        "machines reach it, or use RUN --network=host and --allow network.host.",
        unreachable_proxy));
  }
  return error;
}

// The host's own, without scheme, user, port and path.
std::string_view host_of(std::string_view address) {
  if (const auto scheme = address.find("://"); scheme != address.npos) address.remove_prefix(scheme + 3);
  address = address.substr(0, address.find('/'));
  if (const auto user = address.rfind('@'); user != address.npos) address.remove_prefix(user + 1);
  return address.substr(0, address.starts_with('[') ? address.find(']') + 1 : address.find(':'));
}

// The variable that names a proxy which only the host itself reaches; "" where there is none.
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

bool has_variable(const std::vector<std::string>& env, const std::string& name) {
  for (const auto& entry : env) {
    if (entry.starts_with(name + "=")) return true;
  }
  return false;
}

}  // namespace

jobs::NewLayer Steps::execute_files(graph::NodeId id, const graph::FileOp& op, const std::string& layer_id,
                                    std::stop_token stop) {
  auto& store = environment_.store;
  auto request = files_request(id, op, stop);
  request.final_path = store.layer_path(layer_id);
  request.contents_path = store.contents_path(layer_id);
  const auto older =
      op.actions.size() == 1 ? store.latest_layer_of(environment_.plan.definition_keys[id]) : std::nullopt;
  if (older) {
    request.older_path = store.layer_path(*older);
    request.older_contents = store.contents_path(*older);
  }
  Digest& key = table_.traces[id].key;
  auto made = key.empty() ? jobs::probe_and_apply_files(environment_.inner.get(), request, stop)
                          : jobs::apply_files(environment_.inner.get(), request, stop);
  const bool anew = !made.layer.read_anew.empty();
  for (auto& part : made.layer.read_anew) {
    const auto index = static_cast<std::size_t>(part.action);
    const auto before = reads_.selected(id, index);
    table_.traces[id].copied[index] = Contexts::copied(*before, std::move(part.selection));
  }
  // The keys are those of what is in the layer.
  if (anew) table_.traces[id].inputs = reads_.inputs(id);
  if (anew && made.probe.digest.empty()) {
    key = content_key(id, stop);
  } else if (anew || key.empty()) {
    key = key_of_files(id, op, made.probe);
  }
  made.layer.result_digest = file_result(made.layer.result_digest, op, key);
  return std::move(made.layer);
}

jobs::NewLayer Steps::execute_run(graph::NodeId id, const graph::ExecOp& op, const std::string& layer_id,
                                  std::string& emulator, std::stop_token stop) {
  const auto& node = environment_.graph.nodes[id];
  environment_.inner.get_for_run();
  // It comes up while the layers are prepared.
  if (op.network == graph::NetworkMode::standard) environment_.network.start();
  jobs::RunRequest run;
  run.owners = owner_mode();
  run.work = work_directory();
  run.final_path = environment_.store.layer_path(layer_id);
  run.check_platform = node.platform;
  if (node.platform) emulator = environment_.inner.emulate(*node.platform);

  auto& spec = run.spec;
  spec.stack = unpacked({table_.base_of(id), {}}, stop);
  spec.argv = op.argv;
  spec.env = op.env;
  spec.env.insert(spec.env.end(), op.proxy_env.begin(), op.proxy_env.end());
  spec.cwd = op.cwd;
  spec.user = op.user;
  spec.hostname = op.hostname;
  spec.extra_hosts = op.extra_hosts;
  spec.network = op.network;
  spec.security = op.security;
  spec.ulimits = op.ulimits;
  spec.shm_size = op.shm_size;
  spec.single_id = environment_.inner.map().single;
  spec.less_isolation = environment_.request.allow_less_isolation;

  Held held;
  held.locks = lock_cache_mounts(id, op, stop);
  for (std::size_t i = 1; i < op.mounts.size(); ++i) {
    const auto& mount = op.mounts[i];
    if (mount.kind == graph::MountKind::secret) {
      const auto value = secret(mount.id);
      if (!value && mount.required)
        throw Error(ExitClass::usage, fmt::format("secret {}: not found", mount.id))
            .with_advice(
                fmt::format("Give it with --secret id={},src=FILE or --secret id={},env=NAME.", mount.id, mount.id));
      if (!mount.env.empty()) spec.env.push_back(fmt::format("{}={}", mount.env, value.value_or("")));
      if (!value || !mount.as_file) continue;
    }
    if (mount.kind == graph::MountKind::ssh) {
      if (!has_variable(op.env, "SSH_AUTH_SOCK")) spec.env.push_back("SSH_AUTH_SOCK=" + mount.target);
    }
    auto made = sandbox_mount(id, mount, i, run, held, stop);
    if (made.kind == graph::MountKind::ssh && made.source.empty()) continue;
    spec.mounts.push_back(std::move(made));
  }

  if (op.network == graph::NetworkMode::standard) {
    const auto& network = environment_.network.get();
    if (network.name_space >= 0) spec.network_fd = duplicate(network.name_space);
    if (network.name_space >= 0) spec.resolv_conf = network.about.resolv_conf;
  }
  if (!table_.traces[id].copied.empty()) {  // the keys are those of what is mounted
    table_.traces[id].inputs = reads_.inputs(id);
    table_.traces[id].key = exec_key(id, op, stop);
  }

  LogPump log(id, environment_.sink, environment_.request.log_limits);
  const auto proxies = spec.network_fd ? spec.env : std::vector<std::string>();
  const auto name = environment_.graph.info[id].front().name;
  try {
    Inner& inner = inner_for(op, !emulator.empty(), run);
    spec.stdout_fd = log.take_stdout();
    spec.stderr_fd = log.take_stderr();
    const auto reply = jobs::run(inner, std::move(run), stop);
    const std::string tail = log.finish();
    tell_isolation(reply.result);
    if (reply.result.exit_code == 0) {
      held.fresh_caches.succeed();
      return reply.layer;
    }
    throw run_failure(op, reply.result, loopback_proxy(proxies)).with_excerpt(quoted_log(name, tail));
  } catch (Error& error) {
    if (error.excerpt.empty()) error.excerpt = quoted_log(name, log.finish());
    throw;
  }
}

// A step with --security=insecure is root of the host where the caller is; an emulated one stays where its emulator is
// registered.
Inner& Steps::inner_for(const graph::ExecOp& op, bool emulated, jobs::RunRequest& run) {
  if (op.security != graph::SecurityMode::insecure || emulated || !is_hosts_root()) return environment_.inner.get();
  const auto& map = environment_.inner.map();
  if (map.host_high) {
    run.store = dir_name(dir_name(run.final_path));
    run.store_uids = mount_ranges(map.uids);
    run.store_gids = mount_ranges(map.gids);
  }
  return environment_.inner.get_hosts_root();
}

// Once a build: what its steps had to do without.
void Steps::tell_isolation(const SandboxResult& result) {
  if (!result.host_proc && !result.shared_ids) return;
  if (isolation_told_.exchange(true)) return;
  std::string what;
  if (result.host_proc) what = "a /proc of its own: the processes of this container or host are seen";
  if (result.shared_ids) {
    what += std::string(what.empty() ? "" : ", and without ") +
            "a user namespace of its own: steps can look into each other's processes";
  }
  environment_.warn_of_isolation("steps run without " + what + " (--allow-less-isolation)");
}

// A RUN that lost the handler of the host by which its programs ran is run again, by the next way. Whatever emulates is
// named where it fails: the fault may be the emulator's.
jobs::NewLayer Steps::execute_run_surely(graph::NodeId id, const graph::ExecOp& op, const std::string& layer_id,
                                         std::string& emulator, std::stop_token stop) {
  const auto& platform = environment_.graph.nodes[id].platform;
  try {
    return execute_run(id, op, layer_id, emulator, stop);
  } catch (Error& error) {
    if (error.exit_class != ExitClass::step_failed || !platform || !is_foreign(*platform)) throw;
    if (!environment_.inner.has_lost_handler(*platform)) {
      error.advice += fmt::format("{}Its programs for {} were run by: {}.", error.advice.empty() ? "" : "\n",
                                  platforms::to_string(*platform), emulator);
      throw;
    }
  }
  return execute_run(id, op, layer_id, emulator, stop);
}

SandboxMount Steps::sandbox_mount(graph::NodeId id, const graph::Mount& mount, std::size_t index, jobs::RunRequest& run,
                                  Held& held, std::stop_token stop) {
  SandboxMount out{.kind = mount.kind,
                   .target = mount.target,
                   .read_only = mount.read_only,
                   .stack = {},
                   .selector = mount.selector,
                   .upper = {},
                   .work = {},
                   .source = {},
                   .size = mount.size};
  out.uid = mount.uid.value_or(0);
  out.gid = mount.gid.value_or(0);
  switch (mount.kind) {
    case graph::MountKind::bind:
      out.stack = mount_source(id, mount, index, stop);
      break;
    case graph::MountKind::cache:
      out.source = use_cache_mount(id, mount, index, run, held, stop);
      break;
    case graph::MountKind::secret:
      out.content_fd = memory_file(secret(mount.id).value_or(""));
      out.mode = mount.mode.value_or(0400);
      break;
    case graph::MountKind::ssh:
      out.mode = mount.mode.value_or(0600);
      for (const auto& agent : environment_.request.ssh) {
        if (agent.id != mount.id) continue;
        const char* socket = std::getenv("SSH_AUTH_SOCK");
        out.source = !agent.paths.empty() ? agent.paths.front() : socket != nullptr ? socket : "";
      }
      if (out.source.empty() && mount.required) {
        throw Error(ExitClass::usage, fmt::format("unset ssh forward key {}", mount.id))
            .with_advice(fmt::format("Give an agent with --ssh {}.", mount.id));
      }
      break;
    case graph::MountKind::tmpfs:
      break;
  }
  return out;
}

// Files of the user are mounted from a layer of the store that holds what .dockerignore leaves of them, with the owners
// that an image would have.
Stack Steps::mount_source(graph::NodeId id, const graph::Mount& mount, std::size_t index, std::stop_token stop) {
  if (mount.input < 0) return {};
  const auto& node = environment_.graph.nodes[id];
  const auto input = node.inputs.at(static_cast<std::size_t>(mount.input));
  const auto* local = local_source(environment_.graph, input);
  if (local == nullptr) return unpacked(result(input), stop);

  const std::string path = join_path("/", mount.selector);
  const graph::FileAction action{.source = path,
                                 .destination = path,
                                 .make_parents = true,
                                 .contents_only = false,  // a directory keeps its mode
                                 .allow_wildcard = false,
                                 .allow_empty_wildcard = false};
  auto files = mount.kind == graph::MountKind::cache ? reads_.first_content(id, index) : reads_.shown(id, index);
  const Digest key = context_layer_key(path, files->digest);
  auto& store = environment_.store;
  const auto lock = store.lock_layer(key, stop);
  if (const auto record = store.find_record(key)) {
    if (const auto layer = store.find_layer(record->layers.front()))
      return {{{store.layer_path(layer->id), layer->implied}}};
  }
  jobs::FilesRequest request{.base = {},
                             .actions = {action},
                             .sources = {},
                             .work = work_directory(),
                             .final_path = {},
                             .owners = owner_mode()};
  request.sources.push_back(
      {.stack = {}, .directory = duplicate(files->directory), .selection = {{files, &files->selection}}});
  const std::string layer_id = random_hex(16);
  request.final_path = store.layer_path(layer_id);
  auto made = jobs::apply_files(environment_.inner.get(), request, stop).layer;
  if (!made.read_anew.empty()) {
    files = Contexts::copied_shown(*files, std::move(made.read_anew.front().selection));
    table_.traces[id].copied[index] = files;
  }
  const auto layer = keep(layer_id, made);
  store.add_record({.content_key = context_layer_key(path, files->digest),
                    .layers = {layer.id},
                    .created = layer.newest_mtime,
                    .duration_ms = 0,
                    .emulator = {},
                    .name = "build context"});
  return {{{store.layer_path(layer.id), layer.implied}}};
}

std::optional<std::string> Steps::secret(const std::string& id) const { return read_secret(environment_.request, id); }

}  // namespace mbuild::executor
