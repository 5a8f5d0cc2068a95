#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mbuild::cache {

// One thing that the store holds and could remove on its own.
struct StoreItem {
  enum class Kind { layer, blob, cache_mount, emulator };

  Kind kind = Kind::layer;
  std::string id;           // of a layer; of a blob its digest's hex; of others the name of the directory
  std::string type;         // BuildKit's words: regular, source.local, exec.cachemount, internal, ...
  std::string description;  // for a reader
  std::string path;
  std::uint64_t bytes = 0;  // on disk; what is linked from several items counts for the first
  std::uint64_t files = 0;
  std::int64_t created = 0, used = 0;  // seconds since 1970
  std::int64_t cost_ms = 0;            // what making it again would take
  std::vector<std::string> records;    // content keys of the steps that it is the result of
  std::vector<std::string> parents;    // ids of items that it was made of
  bool in_use = false;                 // a running build holds it
  bool kept = false;                   // part of an image that the user keeps, or what a container stands on
  bool shared = false;                 // several records or images have it

  bool reclaimable() const { return !in_use && !kept; }
  // Its size is what all files in its directory take.
  bool is_tree() const { return kind == Kind::layer || kind == Kind::cache_mount; }
};

// When an item may go: those with a smaller value go first. GreedyDual-Size, with the time of the last use for a clock:
// an item that takes a second to make again for each megabyte that it frees is kept an hour longer, and so on, but
// nothing is kept longer than a month for that.
std::int64_t worth_keeping_until(const StoreItem& item);

// What to remove, in order, so that at least `bytes` are free then, as far as items that may go allow.
std::vector<StoreItem> choose_to_remove(std::vector<StoreItem> items, std::uint64_t bytes);

}  // namespace mbuild::cache
