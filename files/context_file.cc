#include "files/context_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <span>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "files/root_path.h"
#include "files/stat_cache.h"

namespace mbuild::executor {
namespace {

constexpr std::size_t k_largest = 16 * 1024 * 1024;
constexpr int k_select_attempts = 8;

Error unreadable(const std::string& shown, const std::string& why) {
  return Error(ExitClass::usage, fmt::format("failed to read {}: {}", shown, why));
}

std::string read_bounded(int fd, const std::string& shown) {
  std::string text;
  for (;;) {
    const std::size_t had = text.size();
    text.resize(had + 64 * 1024);
    const std::size_t got = read_full(fd, std::as_writable_bytes(std::span(text).subspan(had)));
    text.resize(had + got);
    if (text.size() > k_largest) {
      throw unreadable(shown, fmt::format("it has more than {} MiB", k_largest / 1024 / 1024))
          .with_advice("Is it the right file?");
    }
    if (got < 64 * 1024) return text;
  }
}

// An editor may be about to save it: until nothing is written meanwhile.
std::string read_regular(int fd, const std::string& shown) {
  std::string text;
  for (int attempt = 0; attempt < k_select_attempts; ++attempt) {
    struct stat before, after;
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5 << attempt));
    if (::fstat(fd, &before) < 0 || ::lseek(fd, 0, SEEK_SET) < 0) throw system_error(errno, "read " + shown);
    text = read_bounded(fd, shown);
    if (::fstat(fd, &after) == 0 && stat_key(before) == stat_key(after)) break;
  }
  return text;
}

// Whose names are in the context's own file system alone: an absolute link is not what the host has there.
Error leads_nowhere(int root, const std::string& path) {
  return unreadable(path, fmt::format("it is a link to {}, which is not in the build context", read_link(root, path)))
      .with_advice("Links are followed within the context. A Dockerfile that is elsewhere is named with -f FILE.");
}

}  // namespace

std::optional<std::string> read_context_file(int root, const std::string& path) {
  const Resolved found = resolve_in_root(root, path);
  struct stat status;
  if (!found.status) {
    const bool is_link = ::fstatat(root, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
    if (is_link) throw leads_nowhere(root, path);
    return std::nullopt;
  }
  const Fd fd = open_resolved_or_errno(root, found.path, O_RDONLY | O_NONBLOCK);
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd && errno != ENXIO) throw system_error(errno, "open " + path, ExitClass::usage);
  if (!fd || ::fstat(fd.get(), &status) < 0 || !S_ISREG(status.st_mode)) {
    throw unreadable(path, S_ISDIR(found.status->st_mode) ? "it is a directory" : "it is no regular file")
        .with_advice("A Dockerfile that has another name is named with -f FILE.");
  }
  return read_regular(fd.get(), path);
}

std::optional<std::string> read_named_file(const std::string& path) {
  struct stat status;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!fd || ::fstat(fd.get(), &status) < 0) throw system_error(errno, "open " + path, ExitClass::usage);
  return S_ISREG(status.st_mode) ? read_regular(fd.get(), path) : read_bounded(fd.get(), path);
}

}  // namespace mbuild::executor
