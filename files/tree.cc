#include "files/tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "files/root_path.h"
#include "files/select.h"

// Scanning a tree.
//
// Two sets of patterns act at once. The ignore patterns say what exists at all; the exclude and include patterns of the
// action say what of that is taken. Both can leave a directory out and yet keep something below it, and then the
// directory is there after all. So directories between the start and the current place are held back on a stack until
// something below decides for them: an entry that exists makes its parents exist, an entry that is taken makes its
// parents taken (`implied`, when they were not chosen themselves).
//
// Directories are listed and their entries examined relative to their descriptor: no path is resolved from the root.
// In a directory of the user names come and go meanwhile: what is gone when its turn comes is left out, what has become
// something else is taken as that.
namespace mbuild::executor {

image::Inode context_inode(const struct stat& status, int directory, const std::string& name) {
  image::Inode inode;
  inode.mode = status.st_mode & 07777U;
  inode.mtime_sec = status.st_mtim.tv_sec;
  inode.mtime_nsec = static_cast<std::uint32_t>(status.st_mtim.tv_nsec);
  inode.device = static_cast<std::uint64_t>(status.st_dev);
  inode.inode = static_cast<std::uint64_t>(status.st_ino);
  inode.link_count = static_cast<std::uint64_t>(status.st_nlink);
  switch (status.st_mode & S_IFMT) {
    case S_IFDIR:
      inode.type = image::FileType::directory;
      break;
    case S_IFLNK:
      inode.type = image::FileType::symlink;
      inode.link_target = read_link(directory, name);
      break;
    case S_IFCHR:
    case S_IFBLK:
      inode.type = S_ISCHR(status.st_mode) ? image::FileType::character : image::FileType::block;
      inode.rdev_major = major(status.st_rdev);
      inode.rdev_minor = minor(status.st_rdev);
      break;
    case S_IFREG:
      inode.size = static_cast<std::uint64_t>(status.st_size);
      break;
    default:
      inode.link_count = 1;
      break;  // pipes and sockets become empty files
  }
  return inode;
}

namespace {

constexpr int k_type_attempts = 5;  // for a name that changes its type

// What a snapshot shows; of its extended attributes file capabilities alone are part of what is copied.
image::Inode snapshot_inode(const Tree& tree, int directory, const std::string& name) {
  image::Inode inode = image::read_inode(directory, name, tree.owners);
  std::erase_if(inode.xattrs, [](const auto& xattr) { return xattr.first != "security.capability"; });
  return inode;
}

class Scanner {
 public:
  Scanner(const Tree& tree, std::string start, const ScanFilter& filter)
      : tree_(tree), start_(std::move(start)), filter_(filter), include_parts_(split(filter.include_pattern, '/')) {}

  std::vector<TreeEntry> run() {
    const Fd parent = try_open_resolved(tree_.root, resolved_parent(start_), O_RDONLY | O_DIRECTORY);
    if (!parent) return {};
    const std::string name = start_.empty() ? "." : resolved_name(start_);
    auto entry = examine(parent.get(), name, "");
    if (!entry) return {};
    const bool ignored = !start_.empty() && tree_.ignore != nullptr && tree_.ignore->excludes(start_);
    if (entry->inode.type == image::FileType::directory) {
      if (ignored && tree_.ignore->can_skip_directory(start_)) return {};
      if (!directory(parent.get(), name, std::move(*entry), {.ignored = ignored, .chosen = true}, 0)) return {};
    } else if (!ignored) {
      entries_.push_back(std::move(*entry));
    }
    return std::move(entries_);
  }

 private:
  struct Verdict {
    bool ignored = false;  // does not exist, unless for something below it
    bool chosen = false;   // taken by the patterns of the action
    bool whole = false;    // matched by the include pattern, and so is all below
  };
  struct Held {
    TreeEntry entry;
    Verdict verdict;
    bool emitted = false;
  };

  // Empty when the file has gone since the directory was listed.
  std::optional<TreeEntry> examine(int directory, const std::string& name, std::string path) const {
    struct stat status;
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno == ENOENT) return std::nullopt;
      throw system_error(errno, fmt::format("stat /{}", in_tree(path)));
    }
    TreeEntry entry{.path = std::move(path), .inode = {}, .key = stat_key(status), .content = {}};
    if (tree_.kind == Tree::Kind::snapshot) {
      entry.inode = snapshot_inode(tree_, directory, name);
      return entry;
    }
    try {
      entry.inode = context_inode(status, directory, name);
    } catch (const Error&) {
      const Fd link = try_open_resolved(directory, name, O_PATH);  // it was one
      if (!link || ::fstat(link.get(), &status) < 0) return std::nullopt;
      entry.key = stat_key(status);
      entry.inode = context_inode(status, link.get(), "");
    }
    return entry;
  }

  std::string in_tree(std::string_view below) const { return below.empty() ? start_ : join_resolved(start_, below); }

  Verdict judge(const std::string& below, bool parent_whole) const {
    Verdict verdict;
    verdict.ignored = tree_.ignore != nullptr && tree_.ignore->excludes(in_tree(below));
    verdict.whole = filter_.include == nullptr || parent_whole || filter_.include->excludes(below);
    verdict.chosen = verdict.whole && !(filter_.exclude != nullptr && filter_.exclude->excludes(below));
    return verdict;
  }

  // False when nothing below a directory can be taken.
  bool worth_entering(const std::string& below, const Verdict& verdict, std::size_t depth) const {
    if (verdict.ignored && tree_.ignore->can_skip_directory(in_tree(below))) return false;
    if (verdict.whole && !verdict.chosen) return !filter_.exclude->can_skip_directory(below);
    return verdict.whole || may_hold_match(below, depth);
  }

  // True unless a component of the directory's path rules out that the include pattern matches below it.
  bool may_hold_match(const std::string& below, std::size_t depth) const {
    for (std::size_t i = 0; i < std::min(depth, include_parts_.size()); ++i) {
      if (include_parts_[i].find("**") != std::string::npos) return true;  // it may stand for any number of components
    }
    if (depth > include_parts_.size()) return false;
    const auto& part = include_parts_[depth - 1];
    return part.find('\\') != std::string::npos || match_component(part, resolved_name(below));
  }

  // `depth`: number of components of entry.path. False when there is no directory any more: then nothing was taken.
  bool directory(int parent, const std::string& name, TreeEntry entry, const Verdict& verdict, std::size_t depth) {
    const bool whole = verdict.whole;
    const std::string below = entry.path;
    // More than most trees have, so that entries are not moved again and again. Only what is used becomes memory.
    if (entries_.capacity() == 0) entries_.reserve(32 * 1024);
    held_.push_back({.entry = std::move(entry), .verdict = verdict});
    if (!verdict.ignored) emit_held(verdict.chosen);
    if (depth == 0 || worth_entering(below, verdict, depth)) {
      const Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd) {
        if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
          throw system_error(errno, fmt::format("open /{}", in_tree(below)));
        }
        if (held_.back().emitted) entries_.pop_back();
        held_.pop_back();
        return false;
      }
      contents(fd.get(), below, whole, depth);
    }
    held_.pop_back();
    return true;
  }

  void contents(int fd, const std::string& below, bool whole, std::size_t depth) {
    for (const auto& name : sorted_names(fd)) {
      for (int attempt = 0; attempt < k_type_attempts && !take(fd, name, below, whole, depth); ++attempt) {
      }
    }
  }

  // False when it has become something else meanwhile.
  bool take(int fd, const std::string& name, const std::string& below, bool whole, std::size_t depth) {
    auto entry = examine(fd, name, join_resolved(below, name));
    if (!entry) return true;
    const Verdict verdict = judge(entry->path, whole);
    if (entry->inode.type == image::FileType::directory) {
      return directory(fd, name, std::move(*entry), verdict, depth + 1);
    }
    if (!verdict.ignored) {
      emit_held(verdict.chosen);
      if (verdict.chosen) entries_.push_back(std::move(*entry));
    }
    return true;
  }

  // Something that exists was met below all that is held: so that exists too. What was chosen is taken with all above
  // it; when the thing met is `taken`, everything held is.
  void emit_held(bool taken) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < held_.size(); ++i) {
      if (taken || held_[i].verdict.chosen) count = i + 1;
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (std::exchange(held_[i].emitted, true)) continue;
      entries_.push_back(held_[i].entry);
      entries_.back().implied = !held_[i].verdict.chosen;
    }
  }

  const Tree& tree_;
  std::string start_;
  const ScanFilter& filter_;
  std::vector<std::string> include_parts_;
  std::vector<Held> held_;
  std::vector<TreeEntry> entries_;
};

}  // namespace

std::vector<TreeEntry> scan_tree(const Tree& tree, const std::string& start, const ScanFilter& filter) {
  return Scanner(tree, start, filter).run();
}

Error missing_error(const Tree& tree, const std::string& path) {
  if (tree.missing == Tree::Missing::lstat) {
    return Error(ExitClass::step_failed, fmt::format("lstat {}: no such file or directory", path));
  }
  Error error(ExitClass::step_failed,
              fmt::format("failed to calculate checksum of ref {}: \"{}\": not found", tree.name, path));
  error.code = ENOENT;
  if (tree.ignore != nullptr && !tree.ignore->empty()) {
    struct stat status;
    const std::string name = path.substr(path.find_first_not_of('/') == std::string::npos ? path.size() : 1);
    if (!name.empty() && ::fstatat(tree.root, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
      return std::move(error).with_advice(fmt::format("{} is there, but .dockerignore excludes it", path));
    }
  }
  return error;
}

}  // namespace mbuild::executor
