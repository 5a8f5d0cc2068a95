#include "executor/collect.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/own_directory.h"
#include "base/strings.h"
#include "cache/store.h"
#include "executor/steps/failed_step.h"
#include "worker/inner/lazy_inner.h"
#include "worker/jobs/jobs.h"

namespace mbuild::executor {
namespace {

// A store with the process that may read and remove all of its files.
struct OpenStore {
  explicit OpenStore(const std::string& root)
      : map(compute_id_map()),
        store(root, std::string(digest_hex(map.digest()).substr(0, 16)), cache::Store::Purpose::cleaning),
        inner(map) {}

  IdMap map;
  cache::Store store;
  LazyInner inner;
};

// Does `work` with the store. Where its index turns out to be damaged, it is done again with an empty one.
template <class Work>
auto with_store(const std::string& root, const Work& work) {
  for (bool again = true;; again = false) {
    std::uint64_t inode = 0;
    try {
      OpenStore open(root);
      return work(open);
    } catch (const cache::IndexDamaged& damage) {
      if (!again) throw;
      inode = damage.inode;
    }
    cache::set_index_aside(root, inode);
  }
}

// One removes at a time, and nobody by an index that another has emptied meanwhile: taken before the index is opened.
cache::FileLock lock_collection(const std::string& root) {
  const std::string locks = root + "/locks";
  std::error_code none;
  if (path_exists(locks) && !std::filesystem::is_directory(locks, none)) {
    std::filesystem::rename(locks, fmt::format("{}.damaged-{}", locks, random_hex(4)), none);
  }
  make_settled_directory(locks, 0700);
  return cache::FileLock::acquire(locks + "/collect");
}

// Runs come last: what they link to counts for the layers.
bool measured_before(const cache::StoreItem& a, const cache::StoreItem& b) {
  return (a.type == "internal") < (b.type == "internal");
}

std::vector<cache::StoreItem> measured_items(OpenStore& open) {
  auto items = open.store.items();
  std::stable_sort(items.begin(), items.end(), measured_before);
  std::vector<std::string> paths;
  for (const auto& item : items) {
    if (item.is_tree()) paths.push_back(item.path);
  }
  if (paths.empty()) return items;
  const auto sizes = jobs::measure(open.inner.get(), paths, {});
  std::size_t next = 0;
  for (auto& item : items) {
    if (item.is_tree()) item.bytes = sizes.at(next++);
  }
  return items;
}

std::uint64_t total_of(const std::vector<cache::StoreItem>& items) {
  std::uint64_t total = 0;
  for (const auto& item : items) total += item.bytes;
  return total;
}

// How many bytes have to go.
std::uint64_t excess(std::uint64_t used, std::uint64_t free, const cache::SpacePolicy& bounds) {
  std::uint64_t wanted = 0;
  if (bounds.max_used > 0 && used > bounds.max_used) wanted = used - bounds.max_used;
  if (free < bounds.min_free) wanted = std::max(wanted, bounds.min_free - free);
  return std::min(wanted, used > bounds.reserved ? used - bounds.reserved : 0);
}

void remove_paths(OpenStore& open, std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  // What the user may remove himself goes first: what another map of ids made is not the inner process's to remove.
  std::erase_if(paths, [&](const auto& path) {
    std::error_code code;
    if (!path.starts_with(open.store.layers_directory())) std::filesystem::remove_all(path, code);
    return !path_exists(path);
  });
  const auto is_own = [&](const auto& path) { return path.starts_with(dir_name(open.store.work_directory()) + "/"); };
  const auto others = std::stable_partition(paths.begin(), paths.end(), is_own);
  const std::vector<std::string> foreign(others, paths.end());
  paths.erase(others, paths.end());
  if (!paths.empty()) jobs::remove(open.inner.get(), paths, {});
  try {
    if (!foreign.empty()) jobs::remove(open.inner.get(), foreign, {});
  } catch (const Error&) {
    // They are of ids that this user no longer has.
  }
}

// Removes rows and names, then the files; `items` in order. On a full disk rows stay until the files are gone.
std::vector<cache::StoreItem> remove_items(OpenStore& open, const std::vector<cache::StoreItem>& items) {
  std::vector<cache::StoreItem> removed;
  std::vector<std::string> paths;
  for (const auto& item : items) {
    const auto path = open.store.remove_item(item);
    if (!path) continue;
    removed.push_back(item);
    if (!path->empty()) paths.push_back(*path);
  }
  for (auto part : {open.store.take_garbage(), cache::abandoned_build_directories(open.store)}) {
    paths.insert(paths.end(), part.begin(), part.end());
  }
  remove_paths(open, std::move(paths));
  try {
    for (const auto& item : removed) {
      if (item.kind == cache::StoreItem::Kind::layer && !item.records.empty()) open.store.remove_item(item);
    }
    open.store.remove_dangling_rows();
  } catch (const Error& error) {
    if (!is_out_of_space(error)) throw;  // they lead to nothing; the next one that finds space removes them
  }
  return removed;
}

}  // namespace

FileSystemSpace space_around(const std::string& path) {
  std::filesystem::path at = path;
  while (!path_exists(at.string()) && at.has_relative_path()) at = at.parent_path();
  struct statvfs status;
  if (::statvfs(at.c_str(), &status) < 0) throw system_error(errno, "statvfs " + at.string());
  const auto block = static_cast<std::uint64_t>(status.f_frsize);
  return {.size = status.f_blocks * block, .free = status.f_bavail * block};
}

namespace {

// What is neither a layer nor a blob nor a cache mount.
std::vector<std::string> other_paths(const cache::Store& store) {
  std::vector<std::string> others = {store.work_directory(), store.contents_path(""),
                                     dir_name(store.work_directory()) + "/containers",
                                     dir_name(store.work_directory()) + "/failed"};
  const auto add = [&](const std::string& directory, const auto& wanted) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
      if (wanted(entry.path().filename().string())) others.push_back(entry.path());
    }
  };
  add(store.root(), [](const std::string& name) { return name != "fs" && name != "blobs" && name != "emulators"; });
  const std::string own = dir_name(store.work_directory());
  add(store.root() + "/fs", [&](const std::string& name) { return name != base_name(own); });
  return others;
}

}  // namespace

StoreUsage measure_store(const std::string& store_root) {
  if (!cache::is_store(store_root)) return {};
  return with_store(store_root, [](OpenStore& open) {
    StoreUsage usage{.items = measured_items(open), .other_bytes = 0};
    for (const auto size : jobs::measure(open.inner.get(), other_paths(open.store), {})) usage.other_bytes += size;
    return usage;
  });
}

std::uint64_t reclaimable_bytes(const std::string& store_root) {
  return with_store(store_root, [](OpenStore& open) {
    std::uint64_t bytes = 0;
    for (const auto& item : open.store.items()) bytes += item.reclaimable() ? item.bytes : 0;
    return bytes;
  });
}

namespace {

std::vector<cache::StoreItem> chosen_items(OpenStore& open, const std::string& store_root,
                                           const CollectRequest& request) {
  auto items = measured_items(open);
  const auto& bounds = request.bounds;
  const std::uint64_t bytes =
      bounds ? excess(total_of(items), space_around(store_root).free, *bounds) : ~std::uint64_t{0};
  if (request.matches) std::erase_if(items, [&](const auto& item) { return !request.matches(item); });
  return cache::choose_to_remove(std::move(items), bytes);
}

}  // namespace

std::vector<cache::StoreItem> collect(const std::string& store_root, const CollectRequest& request) {
  if (!cache::is_store(store_root)) return {};
  const auto alone = lock_collection(store_root);
  return with_store(store_root,
                    [&](OpenStore& open) { return remove_items(open, chosen_items(open, store_root, request)); });
}

std::vector<cache::StoreItem> would_collect(const std::string& store_root, const CollectRequest& request) {
  if (!cache::is_store(store_root)) return {};
  return with_store(store_root, [&](OpenStore& open) { return chosen_items(open, store_root, request); });
}

namespace {

// Those of the policies for which something is to be removed.
std::vector<CollectRequest> policies_to_apply(OpenStore& open, const std::vector<CollectRequest>& policies) {
  // What the index says of layers is near enough to see that nothing need be done; of cache mounts it says nothing.
  auto items = open.store.items();
  std::vector<std::string> mounts;
  for (const auto& item : items) {
    if (item.kind == cache::StoreItem::Kind::cache_mount) mounts.push_back(item.path);
  }
  std::uint64_t used = total_of(items);
  if (!mounts.empty()) {
    for (const auto size : jobs::measure(open.inner.get(), mounts, {})) used += size;
  }
  const std::uint64_t free = space_around(open.store.root()).free;
  std::vector<CollectRequest> wanted;
  for (const auto& policy : policies) {
    const bool needed =
        policy.bounds ? excess(used, free, *policy.bounds) > 0 : std::ranges::any_of(items, [&](const auto& item) {
          return item.reclaimable() && (!policy.matches || policy.matches(item));
        });
    if (needed) wanted.push_back(policy);
  }
  return wanted;
}

}  // namespace

void keep_up(const std::string& store_root, const std::vector<CollectRequest>& policies) {
  const auto wanted = with_store(store_root, [&](OpenStore& open) {
    try {
      open.store.make_durable();
      if (const auto retired = open.store.take_retired(); !retired.empty()) jobs::remove(open.inner.get(), retired, {});
      std::vector<std::string> old;
      forget_failed_steps(open.store, unix_milliseconds(), [&](std::string path) { old.push_back(std::move(path)); });
      if (!old.empty()) jobs::remove(open.inner.get(), old, {});
    } catch (const Error& error) {
      if (!is_out_of_space(error)) throw;  // all the more is there to collect
    }
    return policies.empty() ? policies : policies_to_apply(open, policies);
  });
  for (const auto& policy : wanted) collect(store_root, policy);
}

bool remove_everything(const std::string& store_root) {
  if (!cache::is_store(store_root)) return true;
  const auto alone = lock_collection(store_root);
  // Whoever opens the store waits for this lock, so no build can begin meanwhile.
  const auto opening = cache::FileLock::acquire(store_root + "/locks/open");
  if (cache::is_in_use(store_root)) return false;
  LazyInner inner(compute_id_map());
  jobs::remove(inner.get(),
               {store_root + "/fs", store_root + "/blobs", store_root + "/emulators", store_root + "/index.db",
                store_root + "/index.db-wal", store_root + "/index.db-shm"},
               {});
  return true;
}

}  // namespace mbuild::executor
