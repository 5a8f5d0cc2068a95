#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/fd.h"

namespace mbuild::cache {

// An advisory lock on a file or on one byte of it (F_OFD_SETLK: it belongs to the open file, so threads exclude each
// other too, and it goes when its process dies). The descriptor is close-on-exec; the holder must not fork without exec
// while it holds it.
class FileLock {
 public:
  // Makes the file when absent. Waits until the lock is free; throws Cancelled when stop is requested meanwhile.
  static FileLock acquire(const std::string& path, std::stop_token stop = {});
  // The same for one byte, which need not be there: a file has room for as many locks as there are keys.
  static FileLock acquire_byte(const std::string& path, std::int64_t byte, std::stop_token stop = {});
  // The first byte from this one on that is free.
  static FileLock acquire_free_byte(const std::string& path, std::int64_t from);
  // An empty lock when somebody else holds it.
  static FileLock try_acquire(const std::string& path);

  // True when nobody holds the lock, or there is no such file. Takes nothing.
  static bool is_free(const std::string& path);
  static bool is_free(const Fd& file);  // opened for reading and writing
  // The lowest of the bytes that somebody holds.
  static std::optional<std::int64_t> lowest_held_byte(const std::string& path);

  explicit operator bool() const { return static_cast<bool>(fd_); }

 private:
  Fd fd_;
};

}  // namespace mbuild::cache
