#include "layers/remove_tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/fd.h"
#include "layers/layer_walk.h"

namespace mbuild::image {
namespace {

constexpr int k_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

// False when it is a directory that holds something.
bool remove_one(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return true;
  if (errno != EISDIR && errno != EPERM) throw system_error(errno, "remove " + name);
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0) return true;
  if (errno != ENOTEMPTY && errno != EEXIST) throw system_error(errno, "remove " + name);
  return false;
}

// Empties the directory. A directory that holds something is closed while its child is emptied, and opened again
// through the child's "..", so that depth does not cost descriptors.
Fd empty(Fd directory) {
  for (const std::string& name : names_in_directory(directory.get())) {
    if (remove_one(directory.get(), name)) continue;
    Fd child = open_at(directory.get(), name, k_flags);
    directory.reset();
    child = empty(std::move(child));
    directory = open_at(child.get(), "..", k_flags);
    if (!remove_one(directory.get(), name)) throw system_error(ENOTEMPTY, "remove " + name);
  }
  return directory;
}

}  // namespace

void remove_tree(int parent, const std::string& name) {
  if (remove_one(parent, name)) return;
  empty(open_at(parent, name, k_flags));
  if (!remove_one(parent, name)) throw system_error(ENOTEMPTY, "remove " + name);
}

}  // namespace mbuild::image
