#include "files/live_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "files/copy_data.h"
#include "files/root_path.h"

// Reading files that change.
//
// No lock keeps a file of the user still. What can be had is a reading that is one version of the file: either its
// status was the same before and after, or the same bytes were found when they were read once more. The second is how
// a log is read that grows all the time: at most as many bytes as it had when it was opened, and these stay what they
// are. A reading that is neither is made again, a little later each time. Whatever came of it, the digest is that of
// the bytes read, so that a key made of it can never stand for others.
//
// A status shows a change only once the clock of the file system has ticked: a file that is written twice within a
// tick, to the same size, has one StatKey for two contents. So a key stands for a digest only when the file had come to
// rest well before: 2 s where times seem to be whole seconds, 100 ms (ten ticks of the slowest kernel clock) otherwise.
namespace mbuild::executor {
namespace {

constexpr int k_attempts = 8;  // 1.3 s in all
constexpr std::size_t k_room = 256 * 1024;

// Of the first `size` bytes; fewer where the file ends before.
struct Reading {
  Digest content;
  std::uint64_t size = 0;
  bool operator==(const Reading&) const = default;
};

Reading read_prefix(int fd, std::uint64_t size) {
  thread_local const auto memory = std::make_unique_for_overwrite<char[]>(k_room);
  Sha256 hash;
  Reading reading;
  while (reading.size < size) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(k_room, size - reading.size));
    const ssize_t n = ::pread(fd, memory.get(), wanted, static_cast<off_t>(reading.size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error(errno, "read");
    if (n == 0) break;
    hash.update({memory.get(), static_cast<std::size_t>(n)});
    reading.size += static_cast<std::uint64_t>(n);
  }
  if (reading.size > 0) reading.content = hash.digest();
  return reading;
}

Reading copy_now(int in, int out, const struct stat& status) {
  if (::ftruncate(out, 0) < 0 || ::lseek(out, 0, SEEK_SET) < 0) throw system_error(errno, "write");
  copy_data(in, out, status);
  return read_prefix(out, ~std::uint64_t{0});
}

TreeEntry entry_of(const TreeEntry& seen, const struct stat& status) {
  TreeEntry entry = seen;
  entry.key = stat_key(status);
  entry.content.clear();
  entry.inode.mode = status.st_mode & 07777U;
  entry.inode.size = static_cast<std::uint64_t>(status.st_size);
  entry.inode.mtime_sec = status.st_mtim.tv_sec;
  entry.inode.mtime_nsec = static_cast<std::uint32_t>(status.st_mtim.tv_nsec);
  if (entry.inode.device != status.st_dev || entry.inode.inode != status.st_ino) entry.inode.link_count = 1;
  entry.inode.device = static_cast<std::uint64_t>(status.st_dev);
  entry.inode.inode = static_cast<std::uint64_t>(status.st_ino);
  return entry;
}

struct Found {
  bool is_regular = false;
  std::optional<TreeEntry> entry;  // of what is no regular file
};

Found look(int root, const std::string& path, const TreeEntry& seen) {
  const Fd fd = try_open_resolved(root, path, O_PATH);
  struct stat status;
  if (!fd || ::fstat(fd.get(), &status) < 0 || S_ISDIR(status.st_mode)) return {};
  if (S_ISREG(status.st_mode)) return {.is_regular = true, .entry = {}};
  TreeEntry entry{
      .path = seen.path, .inode = context_inode(status, fd.get(), ""), .key = stat_key(status), .content = {}};
  return {.is_regular = false, .entry = std::move(entry)};
}

// The regular file that is there now; nothing when there is none.
Fd open_regular(int root, const std::string& path, struct stat& status) {
  Fd fd = open_resolved_or_errno(root, path, O_RDONLY | O_NONBLOCK);
  if (!fd && errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENXIO && errno != ESTALE) {
    throw system_error(errno, "open /" + path);
  }
  if (fd && (::fstat(fd.get(), &status) < 0 || !S_ISREG(status.st_mode))) fd.reset();
  return fd;
}

template <class Read>
std::optional<TreeEntry> take(int root, const std::string& path, const TreeEntry& seen, const std::string& shown,
                              const Read& read) {
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5 << attempt));
    struct stat before, after;
    const Fd in = open_regular(root, path, before);
    if (!in) {
      auto found = look(root, path, seen);
      if (!found.is_regular) return std::move(found.entry);
      continue;
    }
    const Reading reading = read(in.get(), before);
    if (::fstat(in.get(), &after) < 0) throw system_error(errno, "stat /" + shown);
    TreeEntry entry = entry_of(seen, before);
    entry.content = reading.content;
    if (reading.size == entry.inode.size && stat_key(before) == stat_key(after)) return entry;
    // Whoever writes a file anew makes it empty first.
    const bool may_be_empty = attempt + 1 == k_attempts;
    if ((reading.size > 0 || may_be_empty) && read_prefix(in.get(), reading.size) == reading) {
      entry.inode.size = reading.size;
      entry.key = {};
      return entry;
    }
  }
  throw Error(ExitClass::step_failed, fmt::format("/{} changed while it was read, each of {} times", shown, k_attempts))
      .with_advice("let what writes to it finish, or exclude it in .dockerignore");
}

}  // namespace

std::int64_t wall_clock_ns() {
  struct timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

bool at_rest(const StatKey& key, std::int64_t now_ns) {
  const auto newest = std::max(key.mtime_ns, key.ctime_ns);
  const bool coarse = key.mtime_ns % 1'000'000'000 == 0 && key.ctime_ns % 1'000'000'000 == 0;
  return now_ns - newest > (coarse ? 2'000'000'000 : 100'000'000);
}

std::optional<TreeEntry> hash_live_file(int root, const std::string& path, const TreeEntry& seen) {
  return take(root, path, seen, path, [](int in, const struct stat& status) {
    return read_prefix(in, static_cast<std::uint64_t>(status.st_size));
  });
}

std::optional<TreeEntry> copy_live_file(int root, const std::string& path, const TreeEntry& seen, int out,
                                        const std::string& shown) {
  return take(root, path, seen, shown, [&](int in, const struct stat& status) { return copy_now(in, out, status); });
}

bool is_same_to_a_copy(const TreeEntry& before, const TreeEntry& now) {
  const auto& a = before.inode;
  const auto& b = now.inode;
  if (a.type != b.type || a.mode != b.mode || a.size != b.size || a.link_target != b.link_target ||
      a.rdev_major != b.rdev_major || a.rdev_minor != b.rdev_minor || before.content != now.content) {
    return false;
  }
  return a.link_count == 1 || (a.device == b.device && a.inode == b.inode);
}

}  // namespace mbuild::executor
