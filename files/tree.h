#pragma once

#include <sys/stat.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "files/stat_cache.h"
#include "frontend/dockerignore.h"
#include "layers/inode.h"

namespace mbuild::executor {

// A directory that files are read from. Only describes: the descriptor and the matcher must outlive it.
struct Tree {
  // `context`: files of the user (a build context, a download, a git checkout): owners are 0:0, extended attributes are
  // not looked at, pipes and sockets are empty files, and files may change while they are read.
  // `snapshot`: a mounted snapshot: metadata as in the image; nothing changes.
  enum class Kind { context, snapshot };
  // How a literal source that is not there is reported: `"/x": not found`, or `lstat /x: no such file or directory`.
  enum class Missing { not_found, lstat };

  int root = -1;
  Kind kind = Kind::context;
  Missing missing = Missing::not_found;
  image::OwnerMode owners = image::OwnerMode::real;  // snapshot: how owners are kept
  const frontend::IgnoreMatcher* ignore = nullptr;   // what it excludes is not there
  std::string name = "context";                      // for messages
  // When the selection began to look at it, by the wall clock in nanoseconds: what had come to rest by then and has the
  // same StatKey is unchanged.
  std::int64_t seen_ns = 0;
};

// To other processes goes only since when it was looked at: the rest names things of one process.
template <class Codec, class T>
  requires std::same_as<std::remove_const_t<T>, Tree>
void fields(Codec& codec, T& tree) {
  codec(tree.seen_ns);
}

struct TreeEntry {
  std::string path;      // below the start of the scan; "" is the start itself
  image::Inode inode;    // as it is in the image
  StatKey key;           // the version that was seen
  Digest content;        // of a regular file that is not empty; set when a digest of the whole is asked for
  bool implied = false;  // a directory that is there only for the sake of something below it
};

// What a scan takes. Patterns are relative to the start of the scan, which itself is always taken.
struct ScanFilter {
  const frontend::IgnoreMatcher* exclude = nullptr;
  const frontend::IgnoreMatcher* include = nullptr;  // only what matches, itself or by a parent
  std::string include_pattern;                       // the one pattern in `include`: bounds the walk
};

// Lists what is at and below the resolved path `start`: sorted by name within each directory, a directory before its
// contents. Opens no file. Empty when nothing is there (or all of it is ignored). A symbolic link is not followed.
std::vector<TreeEntry> scan_tree(const Tree& tree, const std::string& start, const ScanFilter& filter = {});

// What a file of a context is in an image; `name` in `directory`, or "" and the file's own descriptor. Throws Error
// (store) when it is a link that is gone.
image::Inode context_inode(const struct stat& status, int directory, const std::string& name);

// The error for a source that is not there (code ENOENT in a context); `path` as the user would write it from the root.
Error missing_error(const Tree& tree, const std::string& path);

}  // namespace mbuild::executor
