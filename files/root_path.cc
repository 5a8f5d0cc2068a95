#include "files/root_path.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/strings.h"
#include "files/stat_cache.h"

namespace mbuild::executor {
namespace {

constexpr std::size_t k_longest_path = 4000;  // below PATH_MAX; longer ones are opened in pieces
constexpr int k_most_links = 255;

// For kernels and emulators without openat2: the same, a component at a time.
int open_by_components(int directory, std::string_view path, int flags, unsigned mode) {
  Fd at;
  int from = directory;
  for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/')) {
    const std::string name(path.substr(0, slash));
    path.remove_prefix(slash + 1);
    if (name == "..") return errno = EXDEV, -1;
    at = Fd(::openat(from, name.empty() ? "." : name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!at) return -1;
    from = at.get();
  }
  if (path == "..") return errno = EXDEV, -1;
  return ::openat(from, path.empty() ? "." : std::string(path).c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

int open_piece(int directory, const std::string& path, int flags, unsigned mode) {
  struct open_how how = {};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  long fd;
  do {
    fd = ::syscall(SYS_openat2, directory, name, &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  if (fd < 0 && errno == ENOSYS) return open_by_components(directory, path, flags, mode);
  return static_cast<int>(fd);
}

// As openat, with -1 and errno for what fails.
int open_whole(int root, std::string_view path, int flags, unsigned mode) {
  Fd directory;
  int from = root;
  while (path.size() > k_longest_path) {
    const auto slash = path.rfind('/', k_longest_path);
    const int piece = open_piece(from, std::string(path.substr(0, slash)), O_PATH | O_DIRECTORY, 0);
    if (piece < 0) return -1;
    directory = Fd(piece);
    from = piece;
    path.remove_prefix(slash + 1);
  }
  return open_piece(from, std::string(path), flags, mode);
}

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> parts;
  for (auto& part : split(path, '/')) {
    if (!part.empty() && part != ".") parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

StatKey stat_key(const struct stat& status) {
  const auto nanoseconds = [](const struct timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
          static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

Fd open_resolved(int root, const std::string& path, int flags, unsigned mode) {
  Fd fd(open_whole(root, path, flags, mode));
  if (!fd) throw system_error(errno, "open /" + path);
  return fd;
}

Fd try_open_resolved(int root, const std::string& path, int flags) {
  Fd fd(open_whole(root, path, flags, 0));
  if (!fd && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) throw system_error(errno, "open /" + path);
  return fd;
}

Fd open_resolved_or_errno(int root, const std::string& path, int flags) { return Fd(open_whole(root, path, flags, 0)); }

namespace {

// Nothing when a directory on the way was replaced by a link meanwhile.
std::optional<Resolved> try_to_resolve(int root, std::string_view path, LastLink last) {
  Resolved result;
  std::vector<std::string> todo = components(clean_path(fmt::format("/{}", path)));
  std::reverse(todo.begin(), todo.end());
  struct stat status;
  if (::fstat(root, &status) < 0) throw system_error(errno, "stat /");
  result.status = status;
  while (!todo.empty()) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part == "..") {
      result.path = resolved_parent(result.path);
      result.status.reset();
    }
    const std::string next = part == ".." ? result.path : join_resolved(result.path, part);
    const Fd fd(open_whole(root, next, O_PATH, 0));
    if (!fd) {
      result.blocked = result.blocked || errno == ENOTDIR;
      if (errno == ELOOP) return std::nullopt;
      if (errno != ENOENT && errno != ENOTDIR) throw system_error(errno, "open /" + next);
      result.path = next;
      result.status.reset();
      continue;
    }
    if (::fstat(fd.get(), &status) < 0) throw system_error(errno, "stat /" + next);
    if (part != "..") result.existing.push_back(next);
    if (S_ISLNK(status.st_mode) && (last == LastLink::follow || !todo.empty())) {
      result.links.push_back(next);
      if (result.links.size() > k_most_links) {
        throw Error(ExitClass::step_failed, fmt::format("/{}: too many symbolic links", next));
      }
      const std::string target = read_link(fd.get(), "");
      if (target.starts_with('/')) result.path.clear();
      auto parts = components(target);
      todo.insert(todo.end(), std::make_move_iterator(parts.rbegin()), std::make_move_iterator(parts.rend()));
      if (todo.empty() && result.path.empty() && ::fstat(root, &status) == 0) result.status = status;
      continue;
    }
    result.path = next;
    result.status = status;
  }
  return result;
}

}  // namespace

Resolved resolve_in_root(int root, std::string_view path, LastLink last) {
  for (int attempt = 0; attempt < k_most_links; ++attempt) {
    if (auto resolved = try_to_resolve(root, path, last)) return std::move(*resolved);
  }
  throw Error(ExitClass::step_failed, fmt::format("{}: too many symbolic links", path));
}

std::vector<std::string> sorted_names(int directory) {
  if (::lseek(directory, 0, SEEK_SET) < 0) throw system_error(errno, "read a directory");
  std::vector<std::string> names;
  alignas(struct dirent64) std::array<char, 32 * 1024> buffer;
  for (;;) {
    const ssize_t length = ::getdents64(directory, buffer.data(), buffer.size());
    if (length < 0 && errno != ENOENT) throw system_error(errno, "read a directory");
    if (length <= 0) break;
    for (ssize_t at = 0; at < length;) {
      const auto* item = reinterpret_cast<const struct dirent64*>(buffer.data() + at);
      at += item->d_reclen;
      const std::string_view name = item->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string read_link(int directory, const std::string& name) {
  std::array<char, 4096> target;
  const ssize_t length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (length < 0) throw system_error(errno, "readlink " + name);
  return {target.data(), static_cast<std::size_t>(length)};
}

std::string join_resolved(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  std::string path;
  path.reserve(directory.size() + 1 + name.size());
  path += directory;
  path += '/';
  path += name;
  return path;
}

std::string resolved_parent(std::string_view path) {
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? "" : path.substr(0, slash));
}

std::string resolved_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace mbuild::executor
