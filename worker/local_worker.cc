#include "worker/local_worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <span>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "emu/crash.h"
#include "emu/emulator.h"
#include "worker/output_pump.h"

namespace mbuild::executor {
namespace {

cache::Layer named(const std::string& id, jobs::NewLayer made) {
  return {.id = id,
          .result_digest = std::move(made.result_digest),
          .pulled = false,
          .bytes = made.bytes,
          .files = made.files,
          .newest_mtime = made.newest_mtime,
          .implied = std::move(made.implied)};
}

ProbeResult told(jobs::ProbeReply reply) {
  return {.destination = std::move(reply.digest), .complete = reply.complete, .copied = std::move(reply.selections)};
}

}  // namespace

void give_all(int file, const TarSink& sink) {
  char buffer[1 << 16];
  while (const std::size_t n = read_full(file, std::as_writable_bytes(std::span(buffer)))) sink({buffer, n});
}

LocalWorker::LocalWorker(LocalWorkerParts parts)
    : parts_(std::move(parts)), caches_(parts_.store, parts_.inner, parts_.work, parts_.layers) {}

LayerIds LocalWorker::missing(const LayerIds& layers) {
  LayerIds out;
  for (const auto& id : layers) {
    if (parts_.layers.find(id) == nullptr) out.push_back(id);
  }
  return out;
}

// ---- layers

std::optional<cache::Layer> LocalWorker::find(const std::string& id) {
  const auto* layer = parts_.layers.find(id);
  return layer == nullptr ? std::nullopt : std::optional(*layer);
}

void LocalWorker::put(const cache::Layer& layer, const TarSource& tar, std::stop_token stop) {
  const auto lock = parts_.store.lock_layer(layer.result_digest, stop);
  if (parts_.layers.find(layer.id) != nullptr) return;
  const std::string work = parts_.work.next();
  jobs::UnpackRequest request;
  request.blob = open_file(work, O_TMPFILE | O_RDWR, 0600);
  tar([&](std::string_view bytes) {
    write_all(request.blob.get(), bytes);
    request.size += bytes.size();
  });
  ::lseek(request.blob.get(), 0, SEEK_SET);
  request.owners = owner_mode();
  request.work = work + "/layer";
  request.final_path = request.final_path_on_lowers = parts_.store.layer_path(layer.id);
  cache::Layer row = layer;
  row.implied = jobs::unpack(parts_.inner.get(), request, stop).layer.implied;
  parts_.layers.add(std::move(row));
}

void LocalWorker::get(const std::string& id, const TarSink& tar, std::stop_token stop) {
  const auto* layer = parts_.layers.find(id);
  if (layer == nullptr) throw vanished_layer(id);
  jobs::SerialiseRequest request;
  request.out = open_file(parts_.work.next(), O_TMPFILE | O_RDWR, 0600);
  request.path = parts_.store.layer_path(id);
  request.implied = layer->implied;
  request.compression = image::Compression::none;
  request.owners = owner_mode();
  jobs::serialise(parts_.inner.get(), request, std::move(stop));
  ::lseek(request.out.get(), 0, SEEK_SET);
  give_all(request.out.get(), tar);
}

// ---- RUN

std::string LocalWorker::prepare(const RunTask& task) {
  parts_.inner.get_for_run();
  // It comes up while the layers are prepared.
  if (task.network == graph::NetworkMode::standard) parts_.network.start();
  return task.platform ? parts_.inner.emulate(*task.platform) : "";
}

namespace {

// Passes on what a step writes, and reads it.
class WatchedSink final : public StepSink {
 public:
  explicit WatchedSink(StepSink& sink) : sink_(sink) {}
  void log(int stream, std::string_view data) override {
    watch_.read(stream, data);
    sink_.log(stream, data);
  }
  void usage(const ResourceUsage& usage) override { sink_.usage(usage); }
  const emu::CrashWatch& watch() const { return watch_; }

 private:
  StepSink& sink_;
  emu::CrashWatch watch_;
};

// "QEMU internal SIGSEGV {...}, running /usr/bin/gcc"; "" where the emulator did not crash. A signal that ends the
// emulated program itself is told of by QEMU; one of which it says nothing came from its own code.
std::string crash_of(const RunResult& result, const emu::CrashWatch& watch, const RunTask& task) {
  const bool untold = emu::is_fault_signal(result.signal) && !watch.program_signalled() && result.programs_native == 0;
  if (watch.fault().empty() && !untold) return "";
  const std::string what = watch.fault().empty() ? fmt::format("signal {}", result.signal) : watch.fault();
  const std::string program = result.crashed.empty() && untold ? task.argv.at(0) : result.crashed;
  return program.empty() ? what : fmt::format("{}, running {}", what, program);
}

}  // namespace

// What a run wrote that failed and is tried once more: kept by nobody, it is collected.
void LocalWorker::forget_failed(const RunResult& result) {
  if (!result.layer.id.empty()) parts_.layers.add(result.layer);
}

// A RUN whose emulator crashed is tried once more with one processor: what QEMU does wrong it mostly does where threads
// run at the same time.
RunResult LocalWorker::run(const RunTask& task, StepSink& sink, std::stop_token stop) {
  if (!task.platform || !is_foreign(*task.platform)) return run_once(task, sink, stop);
  WatchedSink first(sink);
  auto result = run_emulated(task, first, stop);
  const auto crash = crash_of(result, first.watch(), task);
  if (crash.empty()) return result;
  const auto crashed = fmt::format("mbuild: the emulator ({}) crashed: {}", result.emulator, crash);
  if (result.exit_code == 0) {
    sink.log(2, crashed + "; the step ended well all the same\n");
    return result;
  }
  sink.log(2, crashed + "; the step is tried once more, with one processor\n");
  WatchedSink second(sink);
  forget_failed(result);
  auto again = task;
  again.one_processor = true;
  result = run_emulated(again, second, stop);
  if (result.exit_code != 0) result.emulator_crash = crash_of(result, second.watch(), task);
  return result;
}

// A RUN that lost the handler of the host by which its programs ran is run again, by the next way.
RunResult LocalWorker::run_emulated(const RunTask& task, StepSink& sink, const std::stop_token& stop) {
  try {
    auto result = run_once(task, sink, stop);
    if (result.exit_code == 0 || !parts_.inner.has_lost_handler(*task.platform)) return result;
    forget_failed(result);
  } catch (const Error& error) {
    if (error.exit_class != ExitClass::step_failed || !parts_.inner.has_lost_handler(*task.platform)) throw;
  }
  return run_once(task, sink, stop);
}

// All but the streams and the place of the layer.
jobs::RunRequest LocalWorker::run_request(const RunTask& task, const std::string& work, CacheMounts::Held& held,
                                          RunResult& result, const std::stop_token& stop) {
  parts_.inner.get_for_run();
  jobs::RunRequest run;
  run.owners = owner_mode();
  run.work = work;
  run.check_platform = task.platform;
  if (task.platform) result.emulator = parts_.inner.emulate(*task.platform);

  auto& spec = run.spec;
  spec.stack = parts_.layers.stack(task.root, stop);
  spec.argv = task.argv;
  spec.env = task.env;
  spec.cwd = task.cwd;
  spec.user = task.user;
  spec.hostname = task.hostname;
  spec.extra_hosts = task.extra_hosts;
  spec.network.mode = task.network;
  spec.security = task.security;
  spec.ulimits = task.ulimits;
  spec.shm_size = task.shm_size;
  spec.single_id = parts_.inner.map().single;
  spec.less_isolation = task.less_isolation;
  spec.one_processor = task.one_processor;
  if (!result.emulator.empty()) {
    auto& emulation = spec.emulation.emplace(Emulation{{}, parts_.inner.traced_emulators()});
    if (task.sibling && emulation.traced.empty()) emulation.native = native_source(task, run.work, stop);
  }
  caches_.lock(task.mounts, held, stop);
  for (const auto& mount : task.mounts) spec.mounts.push_back(sandbox_mount(mount, run, held, stop));
  if (task.network == graph::NetworkMode::standard) {
    const auto network = parts_.network.join();
    result.own_network = network.name_space >= 0;
    if (result.own_network) {
      spec.network.name_space = duplicate(network.name_space);
      spec.network.resolv_conf = network.about.resolv_conf;
      if (network.coming >= 0) spec.network.coming = duplicate(network.coming);
    }
  }
  return run;
}

namespace {

void take_outcome(const SandboxResult& from, RunResult& result) {
  result.exit_code = from.exit_code;
  result.signal = from.signal;
  result.host_proc = from.host_proc;
  result.shared_ids = from.shared_ids;
  result.programs_started = from.programs_started;
  result.programs_native = from.programs_native;
  result.crashed = from.last_crashed;
}

}  // namespace

// What begins before its network is there ends when that does not come.
jobs::RunReply LocalWorker::run_in_network(Inner& inner, jobs::RunRequest run, const std::stop_token& stop) {
  if (!run.spec.network.coming) return jobs::run(inner, std::move(run), stop);
  std::stop_source end;
  const std::stop_callback by_caller(stop, [&] { end.request_stop(); });
  const std::stop_callback by_network(parts_.network.failed(), [&] { end.request_stop(); });
  try {
    return jobs::run(inner, std::move(run), end.get_token());
  } catch (const Cancelled&) {
    if (!stop.stop_requested()) parts_.network.get();  // says why
    throw;
  }
}

RunResult LocalWorker::run_once(const RunTask& task, StepSink& sink, const std::stop_token& stop) {
  RunResult result;
  CacheMounts::Held held;
  auto run = run_request(task, parts_.work.next(), held, result, stop);
  run.final_path = parts_.store.layer_path(task.layer);
  const std::string failed = task.keep_failed ? k_failed_layer + random_hex(16) : "";
  if (task.keep_failed) run.failed_path = parts_.store.layer_path(failed);
  OutputPump output(sink);
  Inner& inner = inner_for(task, !result.emulator.empty(), run);
  run.spec.stdout_fd = output.take_stdout();
  run.spec.stderr_fd = output.take_stderr();
  auto reply = run_in_network(inner, std::move(run), stop);
  output.finish();
  sink.usage({.user_microseconds = reply.result.user_microseconds,
              .system_microseconds = reply.result.system_microseconds,
              .peak_memory = reply.result.peak_memory});
  take_outcome(reply.result, result);
  if (result.exit_code != 0) {
    result.layer.id = failed;
    if (task.keep_failed) result.layer.result_digest = sha256(failed);
    return result;
  }
  held.fresh.succeed();
  result.layer = named(task.layer, std::move(reply.layer));
  return result;
}

RunResult LocalWorker::run_container(ContainerTask task, std::stop_token stop) {
  RunResult result;
  CacheMounts::Held held;
  auto run = run_request(task.run, task.directory, held, result, stop);
  if (task.is_native) {
    run.check_platform.reset();
    if (run.spec.emulation) run.spec.emulation->native.reset();
  }
  Inner& inner = inner_for(task.run, !result.emulator.empty(), run);
  for (auto& bind : task.binds) run.spec.mounts.push_back(std::move(bind));
  run.spec.container = std::move(task.setup);
  run.spec.stdout_fd = std::move(task.stdout_fd);
  run.spec.stderr_fd = std::move(task.stderr_fd);
  take_outcome(run_in_network(inner, std::move(run), stop).result, result);
  return result;
}

FileReply LocalWorker::resting_files(const LayerIds& root, const std::string& directory, FileOrder order,
                                     std::optional<SandboxMount> volume, const std::stop_token& stop) {
  order.owners = owner_mode();
  return jobs::resting_files(parts_.inner.get(),
                             {parts_.layers.stack(root, stop), directory, std::move(order), std::move(volume)}, stop);
}

std::vector<std::string> LocalWorker::changes(const LayerIds& root, const std::string& directory,
                                              const std::stop_token& stop) {
  return jobs::changes(parts_.inner.get(), {parts_.layers.stack(root, stop), directory + "/upper", parts_.work.next()},
                       stop);
}

NativeSource LocalWorker::native_source(const RunTask& task, const std::string& work, const std::stop_token& stop) {
  return {.sibling = parts_.layers.stack(*task.sibling, stop),
          .compilers = task.compilers ? std::optional(parts_.layers.stack(*task.compilers, stop)) : std::nullopt,
          .directory = work + "/native",
          .node = task.hostname.empty() ? "buildkitsandbox" : task.hostname,
          .machine = emu::machine_name(*task.platform)};
}

// A step with --security=insecure is root of the host where the caller is; an emulated one stays where its emulator is
// registered.
Inner& LocalWorker::inner_for(const RunTask& task, bool emulated, jobs::RunRequest& run) {
  if (task.security != graph::SecurityMode::insecure || emulated || !is_hosts_root()) return parts_.inner.get();
  const auto& map = parts_.inner.map();
  if (map.host_high) {
    run.store = dir_name(parts_.store.layers_directory());
    run.store_uids = mount_ranges(map.uids);
    run.store_gids = mount_ranges(map.gids);
  }
  return parts_.inner.get_hosts_root();
}

SandboxMount LocalWorker::sandbox_mount(const TaskMount& mount, jobs::RunRequest& run, CacheMounts::Held& held,
                                        const std::stop_token& stop) {
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
      out.stack = parts_.layers.stack(mount.layers, stop);
      break;
    case graph::MountKind::cache:
      out.source = caches_.use(mount, run.cache_directories, held, stop);
      break;
    case graph::MountKind::secret:
      out.content_fd = memory_file(mount.content);
      out.mode = mount.mode.value_or(0400);
      break;
    case graph::MountKind::ssh:
      out.mode = mount.mode.value_or(0600);
      out.source = parts_.agent_socket(mount.agent);
      break;
    case graph::MountKind::tmpfs:
      break;
  }
  return out;
}

// ---- files

jobs::FilesRequest LocalWorker::files_request(const FilesTask& task, const std::stop_token& stop) {
  jobs::FilesRequest request;
  request.owners = owner_mode();
  request.base = parts_.layers.stack(task.base, stop);
  request.actions = task.actions;
  for (const auto& source : task.sources) {
    auto& out = request.sources.emplace_back();
    if (source.layers) out.stack = parts_.layers.stack(*source.layers, stop);
    if (source.user_files.empty()) continue;
    auto files = parts_.user_files(source.user_files);
    out.directory = duplicate(files.directory);
    out.selection.shared = std::move(files.selection);
  }
  request.work = parts_.work.next();
  return request;
}

FilesResult LocalWorker::apply(const FilesTask& task, std::stop_token stop) {
  auto request = files_request(task, stop);
  request.final_path = parts_.store.layer_path(task.layer);
  if (task.list_contents) request.contents_path = parts_.store.contents_path(task.layer);
  if (!task.older.empty()) {
    request.older_path = parts_.store.layer_path(task.older);
    request.older_contents = parts_.store.contents_path(task.older);
  }
  auto& inner = parts_.inner.get();
  auto made = task.probe ? jobs::probe_and_apply_files(inner, request, std::move(stop))
                         : jobs::apply_files(inner, request, std::move(stop));
  FilesResult result{.probe = told(std::move(made.probe)), .layer = {}, .copied_anew = {}};
  for (auto& anew : made.layer.read_anew) {
    result.copied_anew.push_back({static_cast<std::size_t>(anew.action), std::move(anew.selection)});
  }
  result.layer = named(task.layer, std::move(made.layer));
  return result;
}

ProbeResult LocalWorker::probe(const FilesTask& task, std::stop_token stop) {
  const auto request = files_request(task, stop);
  return told(jobs::probe_files(parts_.inner.get(), request, std::move(stop)));
}

Digest LocalWorker::digest(const LayerIds& snapshot, const std::string& selector, std::stop_token stop) {
  const jobs::DigestRequest request{parts_.layers.stack(snapshot, stop), selector, parts_.work.next(), owner_mode()};
  return jobs::digest_tree(parts_.inner.get(), request, std::move(stop));
}

}  // namespace mbuild::executor
