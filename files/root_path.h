#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

// Paths inside a root directory. A *resolved* path is relative to the root ("" is the root itself), has no ".", ".."
// or doubled slashes, and no component of it (but perhaps the last) was a symbolic link when it was resolved.
namespace mbuild::executor {

// Opens a resolved path; a symbolic link that has appeared on the way since is an error, so nothing can lead out of the
// root. The last component is not followed either. Throws Error (store).
Fd open_resolved(int root, const std::string& path, int flags, unsigned mode = 0);
// The same, but what is not there (ENOENT, ENOTDIR, ELOOP) is an empty Fd.
Fd try_open_resolved(int root, const std::string& path, int flags);
// The same for all that fails; errno says why.
Fd open_resolved_or_errno(int root, const std::string& path, int flags);

enum class LastLink { follow, keep };

struct Resolved {
  std::string path;                   // resolved, though its tail may not exist
  std::optional<struct stat> status;  // of what is there
  std::vector<std::string> links;     // symbolic links that were followed, in order
  std::vector<std::string> existing;  // components found on the way, links included, in order

  bool blocked = false;  // a file stands where the path needs a directory

  bool is_directory() const { return status && S_ISDIR(status->st_mode); }
};

// Follows `path` as a process chrooted to the root would, ".." clamped at the root. What does not exist is taken
// literally. Throws Error (step_failed) for too many links.
Resolved resolve_in_root(int root, std::string_view path, LastLink last = LastLink::follow);

// Names in an open directory but "." and "..", sorted by byte; none when it was removed. The descriptor's position is
// moved.
std::vector<std::string> sorted_names(int directory);

std::string read_link(int directory, const std::string& name);

// "a" + "b" -> "a/b", "" + "b" -> "b".
std::string join_resolved(std::string_view directory, std::string_view name);
// The part before the last slash ("" when there is none) and the part after it.
std::string resolved_parent(std::string_view path);
std::string resolved_name(std::string_view path);

}  // namespace mbuild::executor
