#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "files/tree.h"

// Files of a directory that others write to meanwhile: logs, what an editor saves, what another build makes.
namespace mbuild::executor {

// Nanoseconds since 1970.
std::int64_t wall_clock_ns();

// True when the file had come to rest well before `now_ns`, so that a change since then shows in its StatKey.
bool at_rest(const StatKey& key, std::int64_t now_ns);

// Reads the file at the resolved path `path` below `root` and returns its entry as it is now, with the digest of just
// the bytes that were read; `seen` is what it was when it was listed. What is no regular file any more is returned as
// what it is; nothing when the name is gone, or is that of a directory now. The key of the entry is empty (no inode)
// when the file was changed meanwhile. Throws Error (step_failed) when the file can't be had in one piece, and what
// reading throws.
std::optional<TreeEntry> hash_live_file(int root, const std::string& path, const TreeEntry& seen);

// The same, and leaves the bytes that were read in `out`, a file open for reading and writing, whatever was in it.
// `shown`: the path for messages.
std::optional<TreeEntry> copy_live_file(int root, const std::string& path, const TreeEntry& seen, int out,
                                        const std::string& shown);

// True when both are the same to a copy: times may differ, and so may inodes of files with one name.
bool is_same_to_a_copy(const TreeEntry& before, const TreeEntry& now);

}  // namespace mbuild::executor
