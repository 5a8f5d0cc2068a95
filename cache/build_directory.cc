#include "cache/store.h"

#include <dirent.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

namespace mbuild::cache {
namespace {

// Each build that runs holds a byte of it, whose offset is the time at which it began.
std::string builds_lock(const std::string& locks) { return locks + "/builds"; }

}  // namespace

BuildDirectory::BuildDirectory(const Store& store)
    : use_(FileLock::acquire_free_byte(builds_lock(store.locks_directory()), unix_nanoseconds().count())) {
  const std::string name = random_hex(8);
  lock_path_ = store.locks_directory() + "/build-" + name;
  path_ = store.work_directory() + "/" + name;
}

BuildDirectory::~BuildDirectory() {
  if (lock_) ::unlink(lock_path_.c_str());
}

const std::string& BuildDirectory::path() const {
  if (made_) return path_;
  const std::lock_guard guard(mutex_);
  if (made_) return path_;
  // Before there is a directory to sweep. It may be held already, by a call whose directory found no space.
  if (!lock_) lock_ = FileLock::acquire(lock_path_);
  make_directories(path_, 0700);
  made_ = true;
  return path_;
}

std::optional<std::int64_t> oldest_build(const std::string& root) {
  return FileLock::lowest_held_byte(builds_lock(root + "/locks"));
}

bool is_in_use(const std::string& root) { return !FileLock::is_free(builds_lock(root + "/locks")); }

std::vector<std::string> abandoned_build_directories(const Store& store) {
  std::vector<std::string> found;
  DIR* directory = ::opendir(store.work_directory().c_str());
  if (directory == nullptr) return found;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name.starts_with('.')) continue;
    const std::string lock_path = store.locks_directory() + "/build-" + name;
    if (FileLock::try_acquire(lock_path)) {
      found.push_back(store.work_directory() + "/" + name);
      ::unlink(lock_path.c_str());
    }
  }
  ::closedir(directory);
  return found;
}

}  // namespace mbuild::cache
