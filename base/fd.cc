#include "base/fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace mbuild {
namespace {

// Makes one directory; true also when it (or a link to one) was there. Else errno says why not.
bool is_made(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0) return true;
  struct stat status;
  if (errno != EEXIST || ::stat(path.c_str(), &status) < 0) return false;
  errno = ENOTDIR;
  return S_ISDIR(status.st_mode);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Fd open_at(int directory, const std::string& path, int flags, unsigned mode) {
  int fd;
  do {
    fd = ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) throw system_error(errno, "open " + path);
  return Fd(fd);
}

Fd open_file(const std::string& path, int flags, unsigned mode) { return open_at(AT_FDCWD, path, flags, mode); }

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) < 0) throw system_error(errno, "pipe", ExitClass::host);
  return {Fd(fds[0]), Fd(fds[1])};
}

Fd duplicate(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw system_error(errno, "dup", ExitClass::host);
  return Fd(copy);
}

Fd memory_file(std::string_view content) {
  Fd fd(::memfd_create("mbuild", MFD_CLOEXEC));
  if (!fd) throw system_error(errno, "memfd_create", ExitClass::host);
  write_all(fd.get(), content);
  if (::lseek(fd.get(), 0, SEEK_SET) < 0) throw system_error(errno, "lseek", ExitClass::host);
  return fd;
}

std::size_t read_full(int fd, std::span<std::byte> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n = ::read(fd, buffer.data() + done, buffer.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error(errno, "read");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

std::string read_all(int fd) {
  std::string out;
  struct stat status;
  std::size_t room = 4096;
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    room = static_cast<std::size_t>(status.st_size) + 1;  // the byte more shows the end
  }
  std::size_t used = 0;
  for (;; room = std::max<std::size_t>(used, 4096)) {
    out.resize(used + room);
    const std::size_t n = read_full(fd, std::as_writable_bytes(std::span(out.data() + used, room)));
    used += n;
    if (n < room) break;
  }
  out.resize(used);
  return out;
}

void write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error(errno, "write");
    data.remove_prefix(static_cast<std::size_t>(n));
  }
}

DropBehind::DropBehind(int fd) : fd_(fd) {
  const off_t position = ::lseek(fd, 0, SEEK_CUR);
  position_ = position < 0 ? 0 : static_cast<std::uint64_t>(position);
}

void DropBehind::advance(std::uint64_t bytes) {
  constexpr std::uint64_t k_step = 8 << 20;
  constexpr std::uint64_t k_window = 64 << 20;  // looked at again: what was on its way to the disk the last time
  position_ += bytes;
  since_ += bytes;
  if (since_ < k_step) return;
  since_ = 0;
  const std::uint64_t begin = position_ - std::min(position_, k_window);
  ::posix_fadvise(fd_, static_cast<off_t>(begin), static_cast<off_t>(position_ - begin), POSIX_FADV_DONTNEED);
}

std::string read_file(const std::string& path) {
  try {
    return read_all(open_file(path, O_RDONLY).get());
  } catch (Error& error) {
    if (error.message.find(path) == std::string::npos) error.with_context("read " + path);
    throw;
  }
}

void make_directories(const std::string& path, unsigned mode) {
  if (is_made(path, mode)) return;
  if (errno != ENOENT) throw system_error(errno, "mkdir " + path);
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos || slash == 0) throw system_error(ENOENT, "mkdir " + path);
  make_directories(path.substr(0, slash), mode);
  if (!is_made(path, mode)) throw system_error(errno, "mkdir " + path);
}

bool path_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace mbuild
