#include <fmt/format.h>

#include <set>

#include "base/fd.h"
#include "executor/steps/steps.h"

// The directories of RUN --mount=type=cache.
namespace mbuild::executor {

// A cache mount is named by its id and by what it starts from: an owner and a mode, or the files of another stage or
// image. Two projects that agree on the id alone have directories of their own.
std::string Steps::cache_mount_name(graph::NodeId id, const graph::Mount& mount) {
  std::string name = mount.id;
  if (mount.uid || mount.gid || mount.mode) {
    name += fmt::format(" [owner {}:{}, mode {:04o}]", mount.uid.value_or(0), mount.gid.value_or(0),
                        mount.mode.value_or(0755));
  }
  if (mount.input < 0) return name;
  const auto input = environment_.graph.nodes[id].inputs.at(static_cast<std::size_t>(mount.input));
  const auto* local = local_source(environment_.graph, input);
  const Digest from = local != nullptr ? environment_.contexts.shown(*local, "")->digest : result(input).digest;
  return name + fmt::format(" [from {}]", digest_hex(from).substr(0, 16));
}

// The locks of the cache mounts that no other RUN may use meanwhile: each once and in one order, so that no two RUNs
// wait for each other.
std::vector<cache::FileLock> Steps::lock_cache_mounts(graph::NodeId id, const graph::ExecOp& op,
                                                      const std::stop_token& stop) {
  std::set<std::string> names;
  for (const auto& mount : op.mounts) {
    if (mount.kind != graph::MountKind::cache || mount.sharing != graph::CacheSharing::locked) continue;
    names.insert(cache_mount_name(id, mount));
  }
  std::vector<cache::FileLock> locks;
  for (const auto& name : names) locks.push_back(environment_.store.lock_cache_mount(name, stop));
  return locks;
}

// The directory that is mounted; it has its first content, or the job makes it.
std::string Steps::use_cache_mount(graph::NodeId id, const graph::Mount& mount, std::size_t index,
                                   jobs::RunRequest& run, Held& held, const std::stop_token& stop) {
  auto& store = environment_.store;
  const std::string whole_name = cache_mount_name(id, mount);
  std::string name = whole_name;
  for (int copy = 1; mount.sharing == graph::CacheSharing::priv; ++copy) {
    held.locks.push_back(store.try_lock_cache_mount(name));
    if (held.locks.back()) break;
    held.locks.pop_back();
    name = fmt::format("{}#{}", whole_name, copy);
  }
  store.use_cache_mount(name);
  std::string path = store.cache_mount_path(name);
  if (environment_.graph.info[id].front().ignore_cache) {
    const auto fresh = fresh_caches_.use(held.fresh_caches, name, work_directory() + "/cache");
    if (!fresh.empty()) path = fresh;
  }
  if (mount.input < 0 || path_exists(path)) {
    run.cache_directories.push_back({path, mount.uid.value_or(0), mount.gid.value_or(0), mount.mode.value_or(0755)});
    return path;
  }
  jobs::FilesRequest seed{.base = {},
                          .actions = {{.source = "/", .destination = "/", .keep_owner = true}},
                          .sources = {},
                          .work = work_directory(),
                          .final_path = path,
                          .owners = owner_mode()};
  graph::Mount whole = mount;
  whole.selector.clear();
  seed.sources.push_back({.stack = mount_source(id, whole, index, stop), .directory = {}, .selection = {}});
  const auto alone = store.lock_layer(sha256("first content of cache mount " + path), stop);
  if (!path_exists(path)) jobs::apply_files(environment_.inner.get(), seed, stop);
  return path;
}

}  // namespace mbuild::executor
