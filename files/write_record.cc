#include "files/write_record.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/fd.h"
#include "files/root_path.h"

namespace mbuild::executor {

void WriteRecord::add_directory(const std::string& path, const image::Inode& inode) {
  paths.insert(path);
  directories.insert_or_assign(path, inode);
}

void WriteRecord::forget(const std::string& path) {
  paths.erase(path);
  directories.erase(path);
  files.erase(path);
  const std::string first = path + '/', last = path + '0';  // '0' follows '/'
  files.erase(files.lower_bound(first), files.lower_bound(last));
  paths.erase(paths.lower_bound(first), paths.lower_bound(last));
  directories.erase(directories.lower_bound(first), directories.lower_bound(last));
}

void finish_directories(int root, int upper, const WriteRecord& record, image::OwnerMode owners) {
  for (auto it = record.directories.rbegin(); it != record.directories.rend(); ++it) {
    Fd directory;
    if (upper >= 0) directory = try_open_resolved(upper, it->first, O_RDONLY | O_DIRECTORY);
    if (!directory) directory = open_resolved(root, it->first, O_RDONLY | O_DIRECTORY);
    image::apply_inode(directory.get(), it->second, owners);
  }
}

void remove_tree(int directory, const std::string& name) {
  if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw system_error(errno, "remove " + name);
  {
    const Fd inner = try_open_resolved(directory, name, O_RDONLY | O_DIRECTORY);
    if (inner) {
      for (const auto& below : sorted_names(inner.get())) remove_tree(inner.get(), below);
    }
  }
  if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) {
    throw system_error(errno, "remove " + name);
  }
}

}  // namespace mbuild::executor
