#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <utility>

#include "base/error.h"
#include "layers/layer_walk.h"
#include "worker/jobs/jobs.h"

// What the store needs for its upkeep: sizes on disk, and removal.
namespace mbuild::executor::jobs {
namespace {

// Adds up blocks; an inode counts where it is met first, in whatever tree.
class Meter {
 public:
  std::uint64_t measure(const std::string& path) {
    struct stat status;
    if (::lstat(path.c_str(), &status) < 0) return 0;
    bytes_ = 0;
    count(status);
    if (S_ISDIR(status.st_mode)) below(open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return bytes_;
  }

 private:
  void count(const struct stat& status) {
    const bool may_be_met_again = !S_ISDIR(status.st_mode) && status.st_nlink > 1;
    if (may_be_met_again && !seen_.insert({status.st_dev, status.st_ino}).second) return;
    bytes_ += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  // Files may go while they are counted: builds are running.
  void below(const Fd& directory) {
    for (const auto& name : image::names_in_directory(directory.get())) {
      struct stat status;
      if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
      count(status);
      if (!S_ISDIR(status.st_mode)) continue;
      const Fd inner(::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (inner) below(inner);
    }
  }

  std::uint64_t bytes_ = 0;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

std::vector<std::uint64_t> measure_job(std::vector<std::string> paths) {
  Meter meter;
  std::vector<std::uint64_t> sizes;
  for (const auto& path : paths) sizes.push_back(meter.measure(path));
  return sizes;
}

void replace_job(ReplaceRequest request) {
  const auto move = [](const std::string& from, const std::string& to, unsigned flags) {
    return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0;
  };
  // In one step, so that nobody finds none.
  if (move(request.fresh, request.kept, RENAME_EXCHANGE)) {
    if (!move(request.fresh, request.aside, 0)) throw system_error(errno, "rename to " + request.aside);
  } else if (!move(request.fresh, request.kept, 0)) {
    throw system_error(errno, "rename to " + request.kept);
  }
}

void remove_job(std::vector<std::string> paths) {
  std::error_code failure;
  for (const auto& path : paths) {
    std::error_code code;
    std::filesystem::remove_all(path, code);
    if (code) failure = code;
  }
  if (failure) throw Error(ExitClass::store, "remove: " + failure.message());
}

}  // namespace mbuild::executor::jobs
