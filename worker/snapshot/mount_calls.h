#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

// The kernel's mount calls by descriptor.
namespace mbuild::executor {

struct FsOption {
  const char* key;
  std::string value;  // "" sets a flag
};

// The kernel does not take an option of a file system.
struct OptionRefused : Error {
  OptionRefused(Error error, std::string name) : Error(std::move(error)), option(std::move(name)) {}
  std::string option;
};

// A detached file system of a type; `attributes` are MOUNT_ATTR_*. Throws Error (host) with what the kernel says,
// OptionRefused where it is an option.
Fd make_filesystem(const char* type, const std::vector<FsOption>& options, unsigned attributes);
// fsconfig's own account of what went wrong last, or strerror(code).
std::string filesystem_error(int context, int code);

// A detached copy of the mount tree at `path` (of its root mount alone unless `recursive`).
Fd clone_tree(int directory, const std::string& path, bool recursive);
// Sets MOUNT_ATTR_* on a mount (and all below).
void set_mount_attributes(int mount, std::uint64_t attributes, bool recursive);
// Attaches a detached mount on the file or directory that `target` refers to.
void attach(int mount, int target);

// "/proc/self/fd/N"
std::string fd_path(int fd);

}  // namespace mbuild::executor
