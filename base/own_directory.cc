#include "base/own_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild {

void remove_access_lists(int fd) {
  if (::flistxattr(fd, nullptr, 0) == 0) return;
  for (const char* name : {"system.posix_acl_access", "system.posix_acl_default"}) {
    if (::fremovexattr(fd, name) == 0 || errno == ENODATA || errno == ENOTSUP) continue;
    if (errno == EACCES) continue;  // a default list, of what is no directory
    throw system_error(errno, std::string("remove ") + name);
  }
}

void settle_directory(int fd, const std::string& path, unsigned mode) {
  struct stat status;
  if (::fstat(fd, &status) < 0) throw system_error(errno, "stat " + path);
  // The lists first: with one, the group's bits of the mode are its mask.
  try {
    remove_access_lists(fd);
  } catch (Error& error) {
    error.with_context(path);
    throw;
  }
  // The owner may choose among the groups that he is in; 'all others' is not his to say.
  if (status.st_gid != ::getegid() && ::fchown(fd, static_cast<uid_t>(-1), ::getegid()) < 0) {
    throw system_error(errno, "set the group of " + path);
  }
  if ((status.st_mode & 07777) != mode && ::fchmod(fd, mode) < 0) throw system_error(errno, "set the mode of " + path);
}

void make_settled_directory(const std::string& path, unsigned mode) {
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    make_directories(path, mode);
    directory = open_file(path, O_RDONLY | O_DIRECTORY);
  }
  settle_directory(directory.get(), path, mode);
}

}  // namespace mbuild
