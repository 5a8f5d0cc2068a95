// The walk keeps one descriptor a level open, and below k_open_levels only the deepest one: a directory is then closed
// before its child is entered and reached again through the child's "..", so that depth does not cost descriptors.
#include "layers/layer_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild::image {
namespace {

constexpr int k_open_levels = 64;
constexpr int k_walk_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

struct Name {
  bool whiteout;
  std::string name;
  bool operator<(const Name& other) const { return whiteout != other.whiteout ? whiteout : name < other.name; }
};

template <typename Take>
void list(int directory, Take take) {
  Fd listing = open_at(directory, ".", k_walk_flags);
  const std::unique_ptr<DIR, decltype([](DIR* d) { ::closedir(d); })> stream(::fdopendir(listing.get()));
  if (!stream) throw system_error(errno, "list a directory");
  listing.release();
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (!entry) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") take(*entry);
  }
  if (errno != 0) throw system_error(errno, "list a directory");
}

enum class Kind { ordinary, whiteout, nothing };

// `nothing`: overlay lists a whiteout of a directory that it does not merge, where there is nothing for who looks.
Kind kind_of(int directory, const dirent& entry) {
  if (entry.d_type != DT_CHR && entry.d_type != DT_UNKNOWN) return Kind::ordinary;
  struct stat status;
  if (::fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
    return errno == ENOENT && entry.d_type == DT_CHR ? Kind::nothing : Kind::ordinary;
  }
  return S_ISCHR(status.st_mode) && status.st_rdev == 0 ? Kind::whiteout : Kind::ordinary;
}

std::vector<Name> sorted_names(int directory) {
  std::vector<Name> names;
  list(directory, [&](const dirent& entry) {
    const Kind kind = kind_of(directory, entry);
    if (kind != Kind::nothing) names.push_back({kind == Kind::whiteout, entry.d_name});
  });
  std::sort(names.begin(), names.end());
  return names;
}

struct Walk {
  OwnerMode owners;
  const std::function<void(const WalkEntry&)>& visit;
  const std::function<const Inode*(const std::string&)>& known;
  std::string path;

  // Gives the directory back, which may have been reopened.
  Fd directory(Fd self, int depth) {
    const std::size_t length = path.size();
    for (const Name& entry : sorted_names(self.get())) {
      if (length > 0) path += '/';
      path += entry.name;
      if (const Inode* inode = known ? known(path) : nullptr) {
        visit({path, entry.name, self.get(), *inode});
        path.resize(length);
        continue;
      }
      const Inode inode = read(self.get(), entry.name);
      visit({path, entry.name, self.get(), inode});
      if (inode.type == FileType::directory) self = descend(std::move(self), entry.name, depth);
      path.resize(length);
    }
    return self;
  }

  Inode read(int parent, const std::string& name) {
    try {
      return read_inode(parent, name, owners);
    } catch (Error& error) {
      error.with_context("layer entry " + path);
      throw;
    }
  }

  Fd descend(Fd self, const std::string& name, int depth) {
    Fd child = open_at(self.get(), name, k_walk_flags);
    if (depth >= k_open_levels) self.reset();
    child = directory(std::move(child), depth + 1);
    if (!self) self = open_at(child.get(), "..", k_walk_flags);
    return self;
  }
};

}  // namespace

void walk_tree(int root, OwnerMode owners, const std::function<void(const WalkEntry&)>& visit,
               const std::function<const Inode*(const std::string& path)>& known) {
  Walk walk{owners, visit, known, {}};
  walk.directory(open_at(root, ".", k_walk_flags), 0);
}

std::vector<std::string> names_in_directory(int directory) {
  std::vector<std::string> names;
  list(directory, [&](const dirent& entry) { names.emplace_back(entry.d_name); });
  return names;
}

Fd open_below(int root, const std::string& path, int flags) {
  constexpr std::size_t k_max_path = 4000;  // below PATH_MAX
  Fd held;
  std::string_view rest = path;
  while (rest.size() > k_max_path) {
    const std::size_t cut = rest.rfind('/', k_max_path);
    held = open_at(held ? held.get() : root, std::string(rest.substr(0, cut)), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    rest.remove_prefix(cut + 1);
  }
  return open_at(held ? held.get() : root, rest.empty() ? "." : std::string(rest), flags | O_NOFOLLOW);
}

}  // namespace mbuild::image
