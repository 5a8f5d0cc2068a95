#include "layers/set_times.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "layers/layer_walk.h"

namespace mbuild::image {
namespace {

// What a file system rounds, and a clock that is read a little later.
constexpr std::int64_t k_tolerance = 2;  // seconds

struct Times {
  std::string path;
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  std::int64_t changed = 0;  // when the kernel saw the file's last change, which no program can set
};

struct Listing {
  std::vector<Times> entries;
  std::int64_t began = std::numeric_limits<std::int64_t>::max();  // when the first of them came

  bool is_set(const Times& entry) const {
    return entry.seconds < began - k_tolerance || entry.seconds > entry.changed + k_tolerance;
  }
};

Listing list(const LayerSource& source) {
  Listing out;
  walk_tree(source.directory, source.owners, [&](const WalkEntry& entry) {
    if (entry.inode.type == FileType::whiteout) return;
    if (std::ranges::binary_search(source.implied, entry.path)) return;
    struct stat status;
    if (::fstatat(entry.parent, entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
      throw system_error(errno, "stat " + entry.path);
    }
    out.entries.push_back({entry.path, entry.inode.mtime_sec, entry.inode.mtime_nsec, status.st_ctim.tv_sec});
    out.began = std::min(out.began, out.entries.back().changed);
  });
  return out;
}

}  // namespace

bool have_same_set_times(const LayerSource& one, const LayerSource& other) {
  const Listing first = list(one), second = list(other);
  return std::ranges::equal(first.entries, second.entries, [&](const Times& a, const Times& b) {
    if (a.path != b.path) return false;
    if (a.seconds == b.seconds && a.nanoseconds == b.nanoseconds) return true;
    return !first.is_set(a) && !second.is_set(b);
  });
}

}  // namespace mbuild::image
