#include "cache/store.h"

#include <dirent.h>
#include <unistd.h>

#include <filesystem>

#include "base/fd.h"

namespace mbuild::cache {
BuildDirectory::BuildDirectory(const Store& store) {
  const std::string name = random_hex(8);
  lock_path_ = store.locks_directory() + "/build-" + name;
  lock_ = FileLock::acquire(lock_path_);
  path_ = store.work_directory() + "/" + name;
  make_directories(path_, 0700);
}

BuildDirectory::~BuildDirectory() { ::unlink(lock_path_.c_str()); }

bool is_in_use(const std::string& root) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/locks", none)) {
    if (!entry.path().filename().string().starts_with("build-")) continue;
    if (!FileLock::try_acquire(entry.path())) return true;
  }
  return false;
}

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
