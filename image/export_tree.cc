#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/own_directory.h"
#include "base/strings.h"
#include "image/exporters.h"
#include "layers/layer_walk.h"
#include "layers/remove_tree.h"

namespace mbuild::image {
namespace {

constexpr int k_tree_flags = O_RDONLY | O_DIRECTORY;

std::string joined(const std::string& directory, const std::string& path) {
  return directory.empty() ? path : directory + "/" + path;
}

// Copies one tree after another into a directory. Its directories are opened without following links, and what stands
// in the way of a directory is removed, so that nothing is written outside.
class LocalCopy {
 public:
  explicit LocalCopy(int destination, const std::stop_token& stop) : destination_(destination), stop_(stop) {}

  void tree(const ExportTree& tree) {
    first_names_.clear();
    prefix_ = tree.subdirectory;
    if (!prefix_.empty()) {
      Inode top;
      top.type = FileType::directory;
      top.mode = 0755;
      const Inode root = read_inode(tree.root, ".", tree.owners);
      top.mtime_sec = root.mtime_sec;
      top.mtime_nsec = root.mtime_nsec;
      directory(prefix_, top);
    }
    walk_tree(tree.root, tree.owners, [&](const WalkEntry& entry) {
      if (stop_.stop_requested()) throw Cancelled();
      try {
        add(tree, entry);
      } catch (Error& error) {
        error.with_context("export of " + entry.path);
        throw;
      }
    });
  }

  void remove_others() { remove_others(destination_, ""); }

  // A directory gets its mode and time when nothing more goes into it.
  void finish() {
    for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
      const Fd fd = open_below(destination_, it->first, k_tree_flags);
      finish_file(fd.get(), it->second);
    }
  }

 private:
  void add(const ExportTree& tree, const WalkEntry& entry) {
    Inode inode = entry.inode;
    if (tree.clamp_mtime && inode.mtime_sec > *tree.clamp_mtime)
      inode.mtime_sec = *tree.clamp_mtime, inode.mtime_nsec = 0;
    const std::string path = joined(prefix_, entry.path);
    switch (inode.type) {
      case FileType::socket:
      case FileType::whiteout:
        return;
      case FileType::directory:
        return directory(path, inode);
      default:
        break;
    }
    written_.insert(path);
    const int parent = parent_of(path);
    remove_tree(parent, entry.name);
    if (inode.link_count > 1) {
      const auto [first, is_new] = first_names_.try_emplace({inode.device, inode.inode}, path);
      if (!is_new) return link(first->second, parent, entry.name);
    }
    if (inode.type == FileType::regular) {
      regular(entry, parent, inode);
    } else {
      special(parent, entry.name, inode);
    }
  }

  int parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string wanted = slash == std::string::npos ? "" : path.substr(0, slash);
    if (!parent_ || wanted != parent_path_) {
      parent_ = open_below(destination_, wanted, k_tree_flags);
      parent_path_ = wanted;
    }
    return parent_.get();
  }

  void directory(const std::string& path, const Inode& inode) {
    written_.insert(path);
    const int parent = parent_of(path);
    const std::string name = base_name(path);
    struct stat status;
    if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(status.st_mode)) {
      remove_tree(parent, name);
    }
    if (::mkdirat(parent, name.c_str(), 0700) != 0) {
      if (errno != EEXIST) throw system_error(errno, "make directory");
      ::fchmodat(parent, name.c_str(), 0700, 0);  // an earlier export may have left it read-only
    }
    directories_[path] = inode;
  }

  void link(const std::string& first, int parent, const std::string& name) {
    const std::size_t slash = first.rfind('/');
    const Fd from = open_below(destination_, slash == std::string::npos ? "" : first.substr(0, slash), k_tree_flags);
    if (::linkat(from.get(), base_name(first).c_str(), parent, name.c_str(), 0) != 0)
      throw system_error(errno, "hard link");
  }

  void regular(const WalkEntry& entry, int parent, const Inode& inode) {
    const Fd from = open_at(entry.parent, entry.name, O_RDONLY | O_NOFOLLOW);
    const Fd to = open_at(parent, entry.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    buffer_.resize(256 * 1024);
    for (;;) {
      if (stop_.stop_requested()) throw Cancelled();
      const std::size_t n = read_full(from.get(), std::as_writable_bytes(std::span(buffer_)));
      write_all(to.get(), std::string_view(buffer_.data(), n));
      if (n < buffer_.size()) break;
    }
    finish_file(to.get(), inode);
  }

  // Mode, time, and the user's attributes where the file system takes them; owner and group are those of who runs this,
  // whatever the destination hands down.
  static void finish_file(int fd, const Inode& inode) {
    remove_access_lists(fd);
    take_group(fd, "");
    for (const auto& [name, value] : inode.xattrs) {
      if (name.starts_with("user.")) ::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0);
    }
    if (::fchmod(fd, inode.mode) != 0) throw system_error(errno, "set the mode");
    const struct timespec times[2] = {{0, UTIME_OMIT}, {inode.mtime_sec, inode.mtime_nsec}};
    if (::futimens(fd, times) != 0) throw system_error(errno, "set the time");
  }

  // Where that can't be, the file keeps the group that it has.
  static void take_group(int parent, const std::string& name) {
    struct stat status;
    const int flags = AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0);
    if (::fstatat(parent, name.c_str(), &status, flags) != 0 || status.st_gid == ::getegid()) return;
    [[maybe_unused]] const int done = ::fchownat(parent, name.c_str(), static_cast<uid_t>(-1), ::getegid(), flags);
  }

  static void special(int parent, const std::string& name, const Inode& inode) {
    int result = 0;
    if (inode.type == FileType::symlink) {
      result = ::symlinkat(inode.link_target.c_str(), parent, name.c_str());
    } else {
      const mode_t kind = inode.type == FileType::fifo        ? S_IFIFO
                          : inode.type == FileType::character ? S_IFCHR
                                                              : S_IFBLK;
      result = ::mknodat(parent, name.c_str(), kind | 0600, ::makedev(inode.rdev_major, inode.rdev_minor));
    }
    if (result != 0) {
      Error error = system_error(errno, "make " + name, ExitClass::host);
      if (errno == EPERM) error.advice = "device nodes need root: export with --output type=tar, which can hold them";
      throw error;
    }
    take_group(parent, name);
    if (inode.type != FileType::symlink && ::fchmodat(parent, name.c_str(), inode.mode, 0) != 0) {
      throw system_error(errno, "set the mode");
    }
    const struct timespec times[2] = {{0, UTIME_OMIT}, {inode.mtime_sec, inode.mtime_nsec}};
    ::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  }

  void remove_others(int directory, const std::string& path) {
    for (const std::string& name : names_in_directory(directory)) {
      const std::string here = joined(path, name);
      if (!written_.contains(here)) {
        remove_tree(directory, name);
      } else if (directories_.contains(here)) {
        const Fd child = open_at(directory, name, k_tree_flags | O_NOFOLLOW);
        remove_others(child.get(), here);
      }
    }
  }

  const int destination_;
  const std::stop_token& stop_;
  std::string prefix_;
  std::map<std::string, Inode> directories_;
  std::set<std::string> written_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names_;
  Fd parent_;
  std::string parent_path_;
  std::string buffer_;
};

}  // namespace

std::string platform_directory(const platforms::Platform& platform) {
  std::string name = platforms::to_string(platform);
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

void check_collisions(std::span<const ExportTree> trees) {
  if (trees.size() < 2) return;
  struct Seen {
    const ExportTree* tree;
    bool directory;
  };
  std::map<std::string, Seen> seen;
  for (const ExportTree& tree : trees) {
    walk_tree(tree.root, tree.owners, [&](const WalkEntry& entry) {
      const bool directory = entry.inode.type == FileType::directory;
      const auto [found, is_new] = seen.try_emplace(joined(tree.subdirectory, entry.path), Seen{&tree, directory});
      if (is_new || (directory && found->second.directory)) return;
      throw Error(ExitClass::usage,
                  fmt::format("cannot overwrite {} from {} with {} when split option is disabled", entry.path,
                              platforms::to_string(found->second.tree->platform), platforms::to_string(tree.platform)))
          .with_advice("leave platform-split=false out, so that each platform has a directory of its own");
    });
  }
}

void export_local(std::span<const ExportTree> trees, const std::string& destination, LocalMode mode,
                  const std::stop_token& stop) {
  check_collisions(trees);
  make_directories(destination);
  const Fd root = open_file(destination, k_tree_flags);
  LocalCopy copy(root.get(), stop);
  for (const ExportTree& tree : trees) copy.tree(tree);
  if (mode == LocalMode::remove) copy.remove_others();
  copy.finish();
}

void export_tar(std::span<const ExportTree> trees, int fd, const std::stop_token& stop) {
  check_collisions(trees);
  std::vector<PrefixedSource> sources;
  for (const ExportTree& tree : trees) {
    LayerSource source;
    source.directory = tree.root;
    source.clamp_mtime = tree.clamp_mtime;
    source.owners = tree.owners;
    sources.push_back({tree.subdirectory, source});
  }
  std::string buffer;
  DropBehind behind(fd);
  constexpr std::size_t k_write_size = 512 * 1024;
  write_trees_tar(
      sources,
      [&](std::string_view bytes) {
        buffer += bytes;
        if (buffer.size() < k_write_size) return;
        write_all(fd, buffer);
        behind.advance(buffer.size());
        buffer.clear();
      },
      stop);
  write_all(fd, buffer);
}

}  // namespace mbuild::image
