#include "worker/cache_mounts.h"

#include <fmt/format.h>

#include <set>

#include "base/fd.h"

namespace mbuild::executor {

CacheMounts::CacheMounts(cache::Store& store, LazyInner& inner, WorkDirectories& work, LayerDirectories& layers)
    : store_(store),
      inner_(inner),
      work_(work),
      layers_(layers),
      fresh_([this](const std::string& name, const std::string& fresh) {
        jobs::replace(inner_.get(), {fresh, store_.cache_mount_path(name), store_.retire_cache_mount(name)}, {});
      }) {}

// Each once and in one order, so that no two RUNs wait for each other.
void CacheMounts::lock(const std::vector<TaskMount>& mounts, Held& held, const std::stop_token& stop) {
  std::set<std::string> names;
  for (const auto& mount : mounts) {
    if (mount.kind == graph::MountKind::cache && mount.sharing == graph::CacheSharing::locked)
      names.insert(mount.cache);
  }
  for (const auto& name : names) held.locks.push_back(store_.lock_cache_mount(name, stop));
}

bool CacheMounts::needs_first_content(const TaskMount& mount) {
  if (mount.fresh || mount.sharing == graph::CacheSharing::priv) return true;  // which it gets turns out later
  store_.use_cache_mount(mount.cache);
  return !path_exists(store_.cache_mount_path(mount.cache));
}

std::string CacheMounts::use(const TaskMount& mount, std::vector<jobs::CacheDirectory>& to_make, Held& held,
                             const std::stop_token& stop) {
  std::string name = mount.cache;
  for (int copy = 1; mount.sharing == graph::CacheSharing::priv; ++copy) {
    held.locks.push_back(store_.try_lock_cache_mount(name));
    if (held.locks.back()) break;
    held.locks.pop_back();
    name = fmt::format("{}#{}", mount.cache, copy);
  }
  store_.use_cache_mount(name);
  std::string path = store_.cache_mount_path(name);
  if (mount.fresh) {
    const auto fresh = fresh_.use(held.fresh, name, work_.next() + "/cache");
    if (!fresh.empty()) path = fresh;
  }
  if (!mount.first_content || path_exists(path)) {
    to_make.push_back({path, mount.uid.value_or(0), mount.gid.value_or(0), mount.mode.value_or(0755)});
    return path;
  }
  jobs::FilesRequest seed{.base = {},
                          .actions = {{.source = "/", .destination = "/", .keep_owner = true}},
                          .sources = {},
                          .work = work_.next(),
                          .final_path = path,
                          .owners = inner_.map().owner_mode()};
  seed.sources.push_back({.stack = layers_.stack(mount.layers, stop), .directory = {}, .selection = {}});
  const auto alone = store_.lock_layer(sha256("first content of cache mount " + path), stop);
  if (!path_exists(path)) jobs::apply_files(inner_.get(), seed, stop);
  return path;
}

}  // namespace mbuild::executor
