#pragma once

#include <string>

namespace mbuild {

// Makes an open directory of this process's user what a new one in an ordinary place is: it has this mode, this
// process's group, and no access lists. What its parent handed down (a group by a setgid bit or a mount option, that
// bit itself, a default access list) and what the umask took away is undone. Throws Error (store) that names `path`.
void settle_directory(int fd, const std::string& path, unsigned mode);

// mkdir -p, and the last directory settled, also when it was there.
void make_settled_directory(const std::string& path, unsigned mode);

// Removes the access lists that a file has been handed down by its directory, and a directory for what comes into it.
void remove_access_lists(int fd);

}  // namespace mbuild
