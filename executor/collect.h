#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cache/space_policy.h"
#include "cache/store_items.h"

// What a store holds, and keeping it within bounds (docs/design.md, section 6). Works beside running builds.
namespace mbuild::executor {

struct StoreUsage {
  std::vector<cache::StoreItem> items;  // sizes as measured on disk
  std::uint64_t other_bytes = 0;        // the index and what running builds have in progress
};

// Empty when there is no store. Works on a full disk. Throws Error (store).
StoreUsage measure_store(const std::string& store_root);

struct CollectRequest {
  std::function<bool(const cache::StoreItem&)> matches;  // empty: everything
  std::optional<cache::SpacePolicy> bounds;              // empty: all that may go goes
};

// Removes what may go, in the order of cache::choose_to_remove, and what interrupted builds have left behind. Needs no
// space on the disk. Returns what was removed.
std::vector<cache::StoreItem> collect(const std::string& store_root, const CollectRequest& request);

// What collect() would remove now; nothing is.
std::vector<cache::StoreItem> would_collect(const std::string& store_root, const CollectRequest& request);

// argv[1] of the process that a build leaves behind: makes its results durable and collects as the configuration has it
// (cheap when there is nothing to do).
inline constexpr const char* k_upkeep_argument = "internal-upkeep";
void keep_up(const std::string& store_root, const std::vector<CollectRequest>& policies);

// Removes everything a store holds, the index included, and leaves an empty store. False when a build is using it.
bool remove_everything(const std::string& store_root);

// Bytes of the file system that a path is on, or will be when it is made.
struct FileSystemSpace {
  std::uint64_t size = 0, free = 0;
};
FileSystemSpace space_around(const std::string& path);

// What collecting all would free, without looking into layers: by the index. 0 where that can't be told.
std::uint64_t reclaimable_bytes(const std::string& store_root);

}  // namespace mbuild::executor
