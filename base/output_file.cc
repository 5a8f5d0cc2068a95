#include "base/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>

#include "base/digest.h"
#include "base/error.h"
#include "base/inherited_state.h"
#include "base/strings.h"

namespace mbuild {
namespace {

constexpr int k_most_links = 40;  // as the kernel

Error refusal(const std::string& path, const std::string& why) {
  return Error(ExitClass::usage, fmt::format("write {}: {}", path, why));
}

std::optional<int> number_after(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  int number = -1;
  const auto [end, code] = std::from_chars(path.data(), path.data() + path.size(), number);
  if (code != std::errc() || end != path.data() + path.size() || number < 0) return std::nullopt;
  return number;
}

// The descriptor of this process that a path names.
std::optional<int> named_descriptor(const std::string& path) {
  const std::string clean = clean_path(path);
  if (clean == "/dev/stdin") return STDIN_FILENO;
  if (clean == "/dev/stdout") return STDOUT_FILENO;
  if (clean == "/dev/stderr") return STDERR_FILENO;
  const std::string own = fmt::format("/proc/{}/fd/", ::getpid());
  for (const std::string_view prefix : {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/", own.c_str()}) {
    if (const auto number = number_after(clean, prefix)) return number;
  }
  return std::nullopt;
}

// Only what this program was given: its own descriptors (a lock, the index) are nobody's business.
Fd given_descriptor(const std::string& path, int number) {
  if (!is_given_descriptor(number)) throw refusal(path, fmt::format("descriptor {} is not open", number));
  if ((::fcntl(number, F_GETFL) & O_ACCMODE) == O_RDONLY) {
    throw refusal(path, fmt::format("descriptor {} is not open for writing", number));
  }
  return duplicate(number);
}

bool is_in_procfs(const std::string& path) {
  struct statfs system;
  return ::statfs(dir_name(path).c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

// What the kernel refuses where fs.protected_symlinks is set: somebody else's link in a directory like /tmp.
void check_link(const std::string& path, const struct stat& link) {
  struct stat directory;
  if (::stat(dir_name(path).c_str(), &directory) < 0) throw system_error(errno, "write " + path);
  const bool shared = (directory.st_mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH);
  if (!shared || link.st_uid == ::geteuid() || link.st_uid == directory.st_uid) return;
  throw refusal(path, "a symbolic link of another user in a directory that all may write to");
}

std::string link_target(const std::string& path, std::size_t size_hint) {
  std::string target(std::max<std::size_t>(size_hint, 255) + 1, '\0');
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) throw system_error(errno, "readlink " + path);
  target.resize(static_cast<std::size_t>(length));
  return target.starts_with('/') ? target : dir_name(path) + "/" + target;
}

// Where the last component leads to over symlinks. Links of procfs are none: what they lead to may have no name.
std::string follow_links(const std::string& path) {
  std::string at = path;
  for (int links = 0; links < k_most_links; ++links) {
    struct stat status;
    if (named_descriptor(at) || is_in_procfs(at) || ::lstat(at.c_str(), &status) < 0 || !S_ISLNK(status.st_mode)) {
      return at;
    }
    check_link(at, status);
    at = link_target(at, static_cast<std::size_t>(status.st_size));
  }
  throw refusal(path, "too many levels of symbolic links");
}

bool is_mount_point(const std::string& path) {
  struct statx status = {};
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status) == 0 &&
         (status.stx_attributes_mask & status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Fd open_pipe(const std::string& path, const std::stop_token& stop) {
  for (;;) {
    Fd fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (fd) {
      ::fcntl(fd.get(), F_SETFL, 0);
      return fd;
    }
    if (errno != ENXIO && errno != EINTR) throw system_error(errno, "write " + path);
    if (stop.stop_requested()) throw Cancelled();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // nobody reads it yet
  }
}

Fd connect_to(const std::string& path) {
  const Fd place = open_file(path, O_PATH);  // its name may be longer than an address
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}", place.get());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    throw system_error(errno, "connect to " + path);
  }
  return fd;
}

std::string path_of(const Fd& fd) { return fmt::format("/proc/self/fd/{}", fd.get()); }

std::string temporary_name(const std::string& path) { return fmt::format("{}.{}.partial", path, random_hex(4)); }

}  // namespace

OutputFile::OutputFile(const std::string& path, std::stop_token stop, unsigned mode) {
  if (path.empty()) throw Error(ExitClass::usage, "the name of the file to write is empty");
  const std::string target = follow_links(path);
  if (const auto number = named_descriptor(target)) {
    fd_ = given_descriptor(path, *number);
    return;
  }
  struct stat status;
  const bool exists = ::stat(target.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) throw system_error(errno, "write " + path);
  if (exists && S_ISDIR(status.st_mode)) throw refusal(path, "is a directory");
  if (!exists && target.ends_with('/')) throw refusal(path, "is a directory that is not there");
  if (exists && S_ISFIFO(status.st_mode)) {
    fd_ = open_pipe(target, stop);
  } else if (exists && S_ISSOCK(status.st_mode)) {
    fd_ = connect_to(target);
  } else if (exists && !S_ISREG(status.st_mode)) {
    fd_ = open_file(target, O_WRONLY | O_NOCTTY);
  } else if (exists && (is_in_procfs(target) || is_mount_point(target))) {
    fd_ = open_file(target, O_WRONLY | O_TRUNC);
  } else {
    is_new_ = !exists;
    open_new(target, mode);
  }
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::open_new(const std::string& path, unsigned mode) {
  target_ = path;
  fd_ = Fd(::open(dir_name(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
  if (fd_ && ::access(path_of(fd_).c_str(), F_OK) == 0) return;
  // No file system, or no /proc, for a file without a name.
  const std::string temporary = temporary_name(path);
  fd_ = Fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (fd_) {
    temporary_ = temporary;
    return;
  }
  const int error = errno;
  if (!is_new_ && (error == EACCES || error == EPERM || error == EROFS)) {
    fd_ = Fd(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    target_.clear();
  }
  if (!fd_) throw system_error(error, "write " + path);
}

void OutputFile::keep_attributes() const {
  struct stat status;
  if (::stat(target_.c_str(), &status) < 0 || !S_ISREG(status.st_mode)) return;
  if (::fchown(fd_.get(), status.st_uid, status.st_gid) < 0 && ::fchown(fd_.get(), ~0U, status.st_gid) < 0) {
    // It belongs to who wrote it, then.
  }
  ::fchmod(fd_.get(), status.st_mode & 0777);
}

void OutputFile::link_as(const std::string& path) const {
  if (::linkat(AT_FDCWD, path_of(fd_).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) < 0) {
    throw system_error(errno, "write " + path);
  }
}

void OutputFile::commit() {
  if (target_.empty()) return;
  keep_attributes();
  if (temporary_.empty()) {
    if (is_new_ && ::linkat(AT_FDCWD, path_of(fd_).c_str(), AT_FDCWD, target_.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      return;
    }
    const std::string name = temporary_name(target_);  // a link replaces nothing, a name does
    link_as(name);
    temporary_ = name;
  }
  if (::rename(temporary_.c_str(), target_.c_str()) < 0) throw system_error(errno, "write " + target_);
  temporary_.clear();
}

bool names_standard_output(const std::string& path) { return named_descriptor(path) == STDOUT_FILENO; }

void write_output(const std::string& path, std::string_view content, std::stop_token stop) {
  OutputFile file(path, std::move(stop), 0644);
  write_all(file.fd(), content);
  file.commit();
}

}  // namespace mbuild
