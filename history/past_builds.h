#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "cache/locks.h"
#include "history/bounds.h"
#include "history/record.h"

// The records of a store: files STORE/history/TIME-ID.jsonl, which sort by time.
namespace mbuild::history {

// A file for the record of a new build.
struct NewRecord {
  std::string id;
  Fd file;
  cache::FileLock running;  // held as long as the build runs
};

// Those beyond the bounds are removed, this one counted, but none whose build is running. Nothing where there is no
// room, or the store can't be written.
std::optional<NewRecord> add_record(const std::string& store_root, const Bounds& bounds, std::int64_t now);

struct PastBuild {
  std::string path;
  bool running = false;
  std::uint64_t bytes = 0;  // of the file
  Record record;            // its outline
};

// The newest first. What can't be read is left out.
std::vector<PastBuild> past_builds(const std::string& store_root);
// By id, the beginning of an id, "^N" (the Nth before the newest), or "" for the newest. Throws Error (usage) where
// there is none, or several.
PastBuild find_build(const std::string& store_root, const std::string& word);
// The whole of it.
Record read_record(const PastBuild& build);
void remove_record(const PastBuild& build);
// Adds the text of a record of another store, and returns its id. `name` is where it is from, for messages. Throws
// Error.
std::string import_record(const std::string& store_root, const std::string& text, const std::string& name);

}  // namespace mbuild::history
