#include "files/copy_data.h"

#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/write_at.h"

namespace mbuild::executor {
namespace {

constexpr off_t k_small = 128 * 1024;  // below, one read and one write cost less than asking for more
constexpr std::size_t k_copy_buffer = 256 * 1024;
constexpr off_t k_piece = off_t{1} << 30;

void copy_by_buffer(int in, int out, off_t offset, off_t end) {
  thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(k_copy_buffer);
  while (offset < end) {
    const auto wanted = std::min(k_copy_buffer, static_cast<std::size_t>(end - offset));
    const ssize_t n = ::pread(in, buffer.get(), wanted, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error(errno, "read");
    if (n == 0) return;
    write_at(out, {buffer.get(), static_cast<std::size_t>(n)}, static_cast<std::uint64_t>(offset));
    offset += n;
  }
}

// Returns the offset reached: `end`, or less when sendfile will not do it.
off_t copy_by_sendfile(int in, int out, off_t offset, off_t end) {
  if (::lseek(out, offset, SEEK_SET) < 0) return offset;
  while (offset < end) {
    const ssize_t n = ::sendfile(out, in, &offset, static_cast<std::size_t>(std::min(end - offset, k_piece)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOSPC) throw system_error(errno, "write");
    if (n <= 0) break;
  }
  return offset;
}

void copy_range(int in, int out, off_t offset, off_t end) {
  while (offset < end) {
    off_t from = offset, to = offset;
    const ssize_t n =
        ::copy_file_range(in, &from, out, &to, static_cast<std::size_t>(std::min(end - offset, k_piece)), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOSPC) throw system_error(errno, "write");
    if (n <= 0) break;  // other file systems, or the end
    offset += n;
  }
  if (offset < end) offset = copy_by_sendfile(in, out, offset, end);
  if (offset < end) copy_by_buffer(in, out, offset, end);
}

void copy_sparse(int in, int out, off_t size) {
  off_t offset = 0;
  while (offset < size) {
    const off_t data = ::lseek(in, offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // only a hole is left
    if (data < 0) return copy_range(in, out, offset, size);
    const off_t hole = ::lseek(in, data, SEEK_HOLE);
    const off_t end = hole < 0 ? size : std::min(hole, size);
    copy_range(in, out, data, end);
    offset = end;
  }
  if (::ftruncate(out, size) < 0) throw system_error(errno, "write");
}

}  // namespace

void copy_data(int in, int out, const struct stat& status) {
  if (status.st_blocks * 512 < status.st_size && status.st_size > 4096) {
    copy_sparse(in, out, status.st_size);
  } else if (status.st_size <= k_small) {
    copy_by_buffer(in, out, 0, status.st_size);
  } else {
    copy_range(in, out, 0, status.st_size);
  }
}

}  // namespace mbuild::executor
