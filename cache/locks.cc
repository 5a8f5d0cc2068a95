#include "cache/locks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/digest.h"
#include "base/error.h"

namespace mbuild::cache {
namespace {

// A range of bytes; one of length 0 goes on to the end of any file.
struct Range {
  std::int64_t start = 0, length = 0;
};

bool lock_now(int fd, Range range) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = range.start;
  lock.l_len = range.length;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES || errno == EINTR) return false;
  throw system_error(errno, "lock");
}

// A lock is its file, not what is in it. What has its name and can't be one is put out of the way.
Fd open_lock(const std::string& path) {
  try {
    return open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  } catch (const Error& error) {
    const bool is_another_kind = error.code == EISDIR || error.code == ELOOP || error.code == ENXIO;
    if (!is_another_kind && error.code != EACCES) throw;
    const bool done = is_another_kind
                          ? ::rename(path.c_str(), fmt::format("{}.damaged-{}", path, random_hex(4)).c_str()) == 0
                          : ::chmod(path.c_str(), 0600) == 0;
    if (!done) throw;
  }
  return open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
}

// Empty where there is none, or what has its name can't be one. Whoever can't look must not take it to be free.
Fd open_existing(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file && errno == EACCES && ::chmod(path.c_str(), 0600) == 0) {
    file = Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  }
  if (!file && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) throw system_error(errno, "open " + path);
  return file;
}

Fd wait_for_lock(const std::string& path, Range range, const std::stop_token& stop) {
  Fd fd = open_lock(path);
  auto pause = std::chrono::milliseconds(1);
  while (!lock_now(fd.get(), range)) {
    if (stop.stop_requested()) throw Cancelled();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
  return fd;
}

// The start of some lock within the range that would keep one off it.
std::optional<std::int64_t> held_within(const Fd& file, Range range) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = range.start;
  lock.l_len = range.length;
  if (::fcntl(file.get(), F_OFD_GETLK, &lock) < 0) throw system_error(errno, "lock");
  if (lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_start;
}

}  // namespace

FileLock FileLock::try_acquire(const std::string& path) {
  FileLock lock;
  Fd fd = open_lock(path);
  if (lock_now(fd.get(), {})) lock.fd_ = std::move(fd);
  return lock;
}

FileLock FileLock::acquire(const std::string& path, std::stop_token stop) {
  FileLock lock;
  lock.fd_ = wait_for_lock(path, {}, stop);
  return lock;
}

FileLock FileLock::acquire_byte(const std::string& path, std::int64_t byte, std::stop_token stop) {
  FileLock lock;
  lock.fd_ = wait_for_lock(path, {byte, 1}, stop);
  return lock;
}

FileLock FileLock::acquire_free_byte(const std::string& path, std::int64_t from) {
  FileLock lock;
  lock.fd_ = open_lock(path);
  while (!lock_now(lock.fd_.get(), {from, 1})) ++from;
  return lock;
}

bool FileLock::is_free(const std::string& path) {
  const Fd fd = open_existing(path);
  return !fd || is_free(fd);
}

bool FileLock::is_free(const Fd& file) { return !held_within(file, {}); }

std::optional<std::int64_t> FileLock::lowest_held_byte(const std::string& path) {
  const Fd file = open_existing(path);
  if (!file) return std::nullopt;
  auto lowest = held_within(file, {});
  while (lowest.value_or(0) > 0) {
    const auto lower = held_within(file, {0, *lowest});
    if (!lower) break;
    lowest = lower;
  }
  return lowest;
}

}  // namespace mbuild::cache
