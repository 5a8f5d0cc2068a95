// A file is reached by name through "/proc/self/fd/N/name" for its xattrs, because the xattr calls that take a
// directory descriptor came with Linux 6.13 only. Just the listing, which is asked of every file, takes the newer call
// where there is one.
//
// The order in apply_inode: attributes of user.* need write permission and so come before the mode; chown clears setuid
// bits and security.capability and so comes before both; the time comes last.
#include "layers/inode.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>

#include "base/error.h"

namespace mbuild::image {
namespace {

constexpr long k_listxattrat = 465;  // the same number on all architectures; newer than the headers
constexpr std::string_view k_node = "user.mbuild.node";
constexpr std::string_view k_owner = "user.mbuild.owner";
constexpr std::string_view k_opaque = "user.overlay.opaque";
constexpr std::string_view k_origin = "user.overlay.origin";
constexpr std::string_view k_capability = "security.capability";
constexpr std::string_view k_overlay_prefixes[] = {"user.overlay.", "trusted.overlay."};

// A file that system calls reach by path or, when the path is empty, by descriptor.
struct Handle {
  int fd = -1;
  std::string name;   // "" when fd is the file itself
  std::string shown;  // for messages
  std::string path() const { return name.empty() ? "" : fmt::format("/proc/self/fd/{}/{}", fd, name); }
};

[[noreturn]] void fail(std::string_view operation, const Handle& file) {
  throw system_error(errno, fmt::format("{} {}", operation, file.shown));
}

ssize_t list_xattrs(const Handle& file, char* names, std::size_t size) {
  static std::atomic<bool> by_name = true;
  if (file.name.empty()) return ::flistxattr(file.fd, names, size);
  if (by_name) {
    const ssize_t n = ::syscall(k_listxattrat, file.fd, file.name.c_str(), AT_SYMLINK_NOFOLLOW, names, size);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return n;  // EPERM: of a container's filter
    by_name = false;
  }
  return ::llistxattr(file.path().c_str(), names, size);
}

std::string list_names(const Handle& file) {
  char few[256];
  if (const ssize_t n = list_xattrs(file, few, sizeof few); n >= 0) return {few, static_cast<std::size_t>(n)};
  std::string names(1024, '\0');
  for (;;) {
    const ssize_t n = list_xattrs(file, names.data(), names.size());
    if (n >= 0) {
      names.resize(static_cast<std::size_t>(n));
      return names;
    }
    if (errno == ENOTSUP) return {};
    if (errno != ERANGE) fail("list attributes of", file);
    names.resize(names.size() * 8);
  }
}

std::string read_value(const Handle& file, const std::string& path, const std::string& name) {
  std::string value(256, '\0');
  for (;;) {
    const ssize_t n = path.empty() ? ::fgetxattr(file.fd, name.c_str(), value.data(), value.size())
                                   : ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (n >= 0) {
      value.resize(static_cast<std::size_t>(n));
      return value;
    }
    if (errno != ERANGE) fail("read attribute " + name + " of", file);
    value.resize(value.size() * 16);
  }
}

// Parses "LETTER A B" or "A B" into two numbers.
bool parse_pair(std::string_view text, std::uint32_t& first, std::uint32_t& second) {
  const char* const end = text.data() + text.size();
  const auto a = std::from_chars(text.data(), end, first);
  if (a.ec != std::errc() || a.ptr == end || *a.ptr != ' ') return false;
  const auto b = std::from_chars(a.ptr + 1, end, second);
  return b.ec == std::errc() && b.ptr == end;
}

void take_node(const std::string& value, Inode& inode) {
  if (value.size() < 5 || (value[0] != 'c' && value[0] != 'b') || value[1] != ' ') return;
  if (!parse_pair(std::string_view(value).substr(2), inode.rdev_major, inode.rdev_minor)) return;
  inode.type = value[0] == 'c' ? FileType::character : FileType::block;
  inode.size = 0;
}

void take_attribute(const Handle& file, const std::string& path, const std::string& name, OwnerMode owners,
                    Inode& inode) {
  if (name == k_opaque) {
    inode.opaque = inode.type == FileType::directory && read_value(file, path, name) == "y";
    return;
  }
  for (const std::string_view prefix : k_overlay_prefixes) {
    if (!name.starts_with(prefix)) continue;
    constexpr std::string_view k_escape = "overlay.";
    if (const auto rest = std::string_view(name).substr(prefix.size()); rest.starts_with(k_escape)) {
      inode.xattrs[std::string(prefix) + std::string(rest.substr(k_escape.size()))] = read_value(file, path, name);
    }
    return;
  }
  if (name == k_node) {
    if (inode.type == FileType::regular && inode.size == 0) take_node(read_value(file, path, name), inode);
  } else if (name == k_owner) {
    if (owners == OwnerMode::attributes) parse_pair(read_value(file, path, name), inode.uid, inode.gid);
  } else if (!name.starts_with("user.mbuild.") && (name.starts_with("user.") || name == k_capability)) {
    inode.xattrs[name] = read_value(file, path, name);
  }
}

FileType type_of(const struct stat& status) {
  switch (status.st_mode & S_IFMT) {
    case S_IFDIR:
      return FileType::directory;
    case S_IFLNK:
      return FileType::symlink;
    case S_IFIFO:
      return FileType::fifo;
    case S_IFSOCK:
      return FileType::socket;
    case S_IFBLK:
      return FileType::block;
    case S_IFCHR:
      return status.st_rdev == 0 ? FileType::whiteout : FileType::character;
    default:
      return FileType::regular;
  }
}

std::string read_link(const Handle& file) {
  std::string target(256, '\0');
  for (;;) {
    const ssize_t n = ::readlinkat(file.fd, file.name.c_str(), target.data(), target.size());
    if (n < 0) fail("read link", file);
    if (static_cast<std::size_t>(n) < target.size()) {
      target.resize(static_cast<std::size_t>(n));
      return target;
    }
    target.resize(target.size() * 4);
  }
}

void set_attribute(const Handle& file, const std::string& path, const std::string& name, std::string_view value) {
  const int result = path.empty() ? ::fsetxattr(file.fd, name.c_str(), value.data(), value.size(), 0)
                                  : ::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0);
  if (result == 0) return;
  const bool ours = name.starts_with("user.mbuild.") || name == k_opaque || name == k_origin;
  if (ours || name == k_capability) {
    Error error = system_error(errno, fmt::format("set attribute {} of {}", name, file.shown));
    if (ours && errno == ENOTSUP) {
      error.advice = "the store must be on a file system with user extended attributes; choose another one with --root";
    }
    throw error;
  }
  // What an image says beyond that is kept where the file system can.
  if (name.starts_with("user.") && errno != ENOTSUP && errno != EPERM) fail("set attribute " + name + " of", file);
}

std::string stored_name(const std::string& name) {
  for (const std::string_view prefix : k_overlay_prefixes) {
    if (name.starts_with(prefix)) return std::string(prefix) + "overlay." + name.substr(prefix.size());
  }
  return name;
}

void apply_owner(const Handle& file, const Inode& inode) {
  const int flags = AT_SYMLINK_NOFOLLOW | (file.name.empty() ? AT_EMPTY_PATH : 0);
  const bool of_images = is_image_id(inode.uid) && is_image_id(inode.gid);
  if (of_images && ::fchownat(file.fd, file.name.c_str(), inode.uid, inode.gid, flags) == 0) return;
  const int code = of_images ? errno : EINVAL;
  const ExitClass exit_class = code == EINVAL ? ExitClass::host : ExitClass::store;
  Error error = system_error(code, fmt::format("give {} to {}:{}", file.shown, inode.uid, inode.gid), exit_class);
  if (code == EINVAL) {
    error.advice =
        "that id is not mapped here: give the user more subordinate ids (usermod --add-subuids, "
        "--add-subgids)";
  }
  throw error;
}

void apply_mode(const Handle& file, const Inode& inode) {
  const int result = file.name.empty() ? ::fchmod(file.fd, inode.mode & 07777)
                                       : ::fchmodat(file.fd, file.name.c_str(), inode.mode & 07777, 0);
  if (result != 0) fail("set the mode of", file);
}

void apply_time(const Handle& file, const Inode& inode) {
  const struct timespec times[2] = {{inode.mtime_sec, inode.mtime_nsec}, {inode.mtime_sec, inode.mtime_nsec}};
  const int result = file.name.empty() ? ::futimens(file.fd, times)
                                       : ::utimensat(file.fd, file.name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  if (result != 0) fail("set the time of", file);
}

void apply(const Handle& file, const Inode& inode, OwnerMode owners) {
  if (inode.type == FileType::whiteout) return;
  const bool is_link = inode.type == FileType::symlink;
  // The kernel keeps user.* on regular files (device stand-ins among them) and directories only.
  const bool takes_attributes = !is_link && inode.type != FileType::fifo && inode.type != FileType::socket;
  const std::string path = file.path();
  if (takes_attributes) {
    for (const auto& [name, value] : inode.xattrs) {
      if (name == k_capability || name.starts_with("user.mbuild.")) continue;  // the latter are nobody else's
      set_attribute(file, path, stored_name(name), value);
    }
    if (inode.opaque) set_attribute(file, path, std::string(k_opaque), "y");
    if (owners == OwnerMode::attributes) {
      set_attribute(file, path, std::string(k_owner), fmt::format("{} {}", inode.uid, inode.gid));
    }
  }
  if (owners == OwnerMode::real) apply_owner(file, inode);
  if (!is_link) apply_mode(file, inode);
  if (const auto capability = inode.xattrs.find(std::string(k_capability));
      capability != inode.xattrs.end() && inode.type == FileType::regular) {
    set_attribute(file, path, capability->first, capability->second);
  }
  apply_time(file, inode);
}

}  // namespace

Inode read_inode(int directory, const std::string& name, OwnerMode owners) {
  const Handle file{directory, name, name};
  struct stat status;
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail("read", file);
  Inode inode;
  inode.type = type_of(status);
  inode.mode = status.st_mode & 07777;
  if (owners == OwnerMode::real) inode.uid = status.st_uid, inode.gid = status.st_gid;
  inode.mtime_sec = status.st_mtim.tv_sec;
  inode.mtime_nsec = static_cast<std::uint32_t>(status.st_mtim.tv_nsec);
  inode.device = status.st_dev;
  inode.inode = status.st_ino;
  inode.link_count = status.st_nlink;
  if (inode.type == FileType::regular) inode.size = static_cast<std::uint64_t>(status.st_size);
  if (inode.type == FileType::character || inode.type == FileType::block) {
    inode.rdev_major = ::major(status.st_rdev);
    inode.rdev_minor = ::minor(status.st_rdev);
  }
  if (inode.type == FileType::symlink) {
    inode.mode = 0777;
    inode.link_target = read_link(file);
  }
  if (inode.type == FileType::regular || inode.type == FileType::directory) {
    const std::string names = list_names(file);
    const std::string path = names.empty() ? "" : file.path();
    for (std::size_t at = 0; at < names.size();) {
      const std::string attribute = names.c_str() + at;
      at += attribute.size() + 1;
      take_attribute(file, path, attribute, owners, inode);
    }
  }
  return inode;
}

void apply_inode(int directory, const std::string& name, const Inode& inode, OwnerMode owners) {
  apply({directory, name, name}, inode, owners);
}

void apply_inode(int fd, const Inode& inode, OwnerMode owners) { apply({fd, "", "the file"}, inode, owners); }

void make_special(int directory, const std::string& name, const Inode& inode) {
  const Handle file{directory, name, name};
  int result = 0;
  switch (inode.type) {
    case FileType::symlink:
      result = ::symlinkat(inode.link_target.c_str(), directory, name.c_str());
      break;
    case FileType::fifo:
      result = ::mkfifoat(directory, name.c_str(), 0600);
      break;
    case FileType::socket:
      result = ::mknodat(directory, name.c_str(), S_IFSOCK | 0600, 0);
      break;
    case FileType::whiteout:
      result = ::mknodat(directory, name.c_str(), S_IFCHR, 0);
      break;
    case FileType::character:
    case FileType::block:
      result = ::mknodat(directory, name.c_str(), S_IFREG | 0600, 0);
      if (result == 0) {
        const char letter = inode.type == FileType::character ? 'c' : 'b';
        set_attribute(file, file.path(), std::string(k_node),
                      fmt::format("{} {} {}", letter, inode.rdev_major, inode.rdev_minor));
      }
      break;
    case FileType::regular:
    case FileType::directory:
      throw Error(ExitClass::internal, "make_special of a plain file: " + name);
  }
  if (result != 0) fail("make", file);
}

void make_opaque(int directory, const std::string& name) {
  const Handle file{directory, name, name};
  set_attribute(file, file.path(), std::string(k_opaque), "y");
}

void mark_as_with_whiteouts(int directory) {
  const Handle file{directory, ".", "a directory with whiteouts"};
  set_attribute(file, file.path(), std::string(k_origin), "");
}

}  // namespace mbuild::image
