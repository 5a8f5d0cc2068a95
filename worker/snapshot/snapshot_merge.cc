#include "worker/snapshot/snapshot_merge.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <map>

#include "base/error.h"
#include "base/fd.h"
#include "layers/layer_walk.h"
#include "worker/snapshot/flatten.h"

namespace mbuild::executor {
namespace {

constexpr int k_merged_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

std::string parent_path(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

class Mover {
 public:
  Mover(const std::string& merged, const std::string& upper)
      : from_(open_file(merged, k_merged_flags)), to_(open_file(upper, k_merged_flags)) {}

  void move(const std::string& path) {
    const std::string parent = parent_path(path), name = path.substr(parent.empty() ? 0 : parent.size() + 1);
    const Fd source = image::open_below(from_.get(), parent, k_merged_flags);
    struct stat status;
    if (::fstatat(source.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno == ENOENT) return;  // a later action removed it
      throw system_error(errno, "stat /" + path);
    }
    if (S_ISDIR(status.st_mode)) return make_directories(path);
    make_directories(parent);
    const Fd target = image::open_below(to_.get(), parent, k_merged_flags);
    if (::renameat(source.get(), name.c_str(), target.get(), name.c_str()) < 0) {
      throw system_error(errno, "move /" + path);
    }
  }

  // Inner ones first: making entries changes times, and a mode may shut a directory. Those of the merged directory were
  // changed by moving entries out of it, so they are taken as they were when the directory was made here.
  void finish() {
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) {
      const Fd directory = image::open_below(to_.get(), *path, k_merged_flags);
      copy_directory_metadata(image::open_below(from_.get(), *path, k_merged_flags).get(), directory.get());
      const auto& times = times_.at(*path);
      if (::futimens(directory.get(), times.data()) < 0) throw system_error(errno, "set the times of /" + *path);
    }
  }

  void make_directories(const std::string& path) {
    if (!made_.insert(path).second) return;
    if (!path.empty()) make_directories(parent_path(path));
    struct stat status;
    if (::fstat(image::open_below(from_.get(), path, k_merged_flags).get(), &status) < 0) {
      throw system_error(errno, "stat /" + path);
    }
    times_[path] = {status.st_atim, status.st_mtim};
    if (!path.empty() && ::mkdirat(to_.get(), path.c_str(), 0700) < 0) throw system_error(errno, "mkdir /" + path);
  }

 private:
  Fd from_, to_;
  std::set<std::string> made_;
  std::map<std::string, std::array<timespec, 2>> times_;
};

}  // namespace

void merge_snapshot(const Stack& stack, const std::string& into) { flatten(stack, {}, into); }

void move_changes(const std::string& merged, const std::set<std::string>& made, const std::string& upper) {
  Mover mover(merged, upper);
  mover.make_directories("");
  for (const auto& path : made) mover.make_directories(parent_path(path));  // before entries are moved: for the times
  for (const auto& path : made) mover.move(path);
  mover.finish();
}

}  // namespace mbuild::executor
