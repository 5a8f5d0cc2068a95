#include "executor/collect.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/strings.h"
#include "cache/store.h"
#include "executor/jobs.h"
#include "executor/lazy_inner.h"

namespace mbuild::executor {
namespace {

// A store with the process that may read and remove all of its files.
struct OpenStore {
  explicit OpenStore(const std::string& root)
      : map(compute_id_map()), store(root, std::string(digest_hex(map.digest()).substr(0, 16))), inner(map) {}

  IdMap map;
  cache::Store store;
  LazyInner inner;
};

bool is_store(const std::string& root) { return path_exists(root + "/VERSION"); }

// One removes at a time, and nobody by an index that another has emptied meanwhile: taken before the index is opened.
cache::FileLock lock_collection(const std::string& root) { return cache::FileLock::acquire(root + "/locks/collect"); }

// Runs come last: what they link to counts for the layers.
bool measured_before(const cache::StoreItem& a, const cache::StoreItem& b) {
  return (a.type == "internal") < (b.type == "internal");
}

std::vector<cache::StoreItem> measured_items(OpenStore& open) {
  auto items = open.store.items();
  std::stable_sort(items.begin(), items.end(), measured_before);
  std::vector<std::string> paths;
  for (const auto& item : items) {
    if (item.kind != cache::StoreItem::Kind::blob) paths.push_back(item.path);
  }
  if (paths.empty()) return items;
  const auto sizes = jobs::measure(open.inner.get(), paths, {});
  std::size_t next = 0;
  for (auto& item : items) {
    if (item.kind != cache::StoreItem::Kind::blob) item.bytes = sizes.at(next++);
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

// Removes rows and names, then the files; `items` in order.
std::vector<cache::StoreItem> remove_items(OpenStore& open, const std::vector<cache::StoreItem>& items) {
  std::vector<cache::StoreItem> removed;
  std::vector<std::string> paths;
  for (const auto& item : items) {
    const auto path = open.store.remove_item(item);
    if (!path) continue;
    removed.push_back(item);
    if (!path->empty()) paths.push_back(*path);
  }
  open.store.remove_dangling_rows();
  for (auto part : {open.store.take_garbage(), cache::abandoned_build_directories(open.store)}) {
    paths.insert(paths.end(), part.begin(), part.end());
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  if (!paths.empty()) jobs::remove(open.inner.get(), paths, {});
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

StoreUsage measure_store(const std::string& store_root) {
  if (!is_store(store_root)) return {};
  OpenStore open(store_root);
  StoreUsage usage{.items = measured_items(open), .other_bytes = 0};
  std::vector<std::string> others = {store_root + "/VERSION", store_root + "/locks", open.store.work_directory()};
  for (const char* name : {"/index.db", "/index.db-wal", "/index.db-shm"}) others.push_back(store_root + name);
  for (const auto size : jobs::measure(open.inner.get(), others, {})) usage.other_bytes += size;
  return usage;
}

std::vector<cache::StoreItem> collect(const std::string& store_root, const CollectRequest& request) {
  if (!is_store(store_root)) return {};
  const auto alone = lock_collection(store_root);
  OpenStore open(store_root);
  auto items = measured_items(open);
  const auto& bounds = request.bounds;
  const std::uint64_t bytes =
      bounds ? excess(total_of(items), space_around(store_root).free, *bounds) : ~std::uint64_t{0};
  if (request.matches) std::erase_if(items, [&](const auto& item) { return !request.matches(item); });
  return remove_items(open, cache::choose_to_remove(std::move(items), bytes));
}

void keep_up(const std::string& store_root, const std::vector<CollectRequest>& policies) {
  std::vector<CollectRequest> wanted;
  {
    OpenStore open(store_root);
    open.store.make_durable();
    if (policies.empty()) return;
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
    const std::uint64_t free = space_around(store_root).free;
    for (const auto& policy : policies) {
      const bool needed =
          policy.bounds ? excess(used, free, *policy.bounds) > 0 : std::ranges::any_of(items, [&](const auto& item) {
            return item.reclaimable() && (!policy.matches || policy.matches(item));
          });
      if (needed) wanted.push_back(policy);
    }
  }
  for (const auto& policy : wanted) collect(store_root, policy);
}

bool remove_everything(const std::string& store_root) {
  if (!is_store(store_root)) return true;
  const auto alone = lock_collection(store_root);
  // Whoever opens the store waits for this lock, so no build can begin meanwhile.
  const auto opening = cache::FileLock::acquire(store_root + "/locks/open");
  if (cache::is_in_use(store_root)) return false;
  LazyInner inner(compute_id_map());
  jobs::remove(inner.get(),
               {store_root + "/fs", store_root + "/blobs", store_root + "/index.db", store_root + "/index.db-wal",
                store_root + "/index.db-shm"},
               {});
  return true;
}

}  // namespace mbuild::executor
