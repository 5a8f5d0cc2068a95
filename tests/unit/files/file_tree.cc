#include "tests/unit/files/file_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "files/root_path.h"

namespace mbuild::executor::test {

FileTree::FileTree() {
  std::string pattern = "/tmp/mbuild-test-XXXXXX";
  path_ = ::mkdtemp(pattern.data());
  ::chmod(path_.c_str(), 0755);
  fd_ = open_file(path_, O_RDONLY | O_DIRECTORY);
}

FileTree::~FileTree() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void FileTree::parents(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash != std::string::npos) std::filesystem::create_directories(host_path(path.substr(0, slash)));
}

FileTree& FileTree::file(const std::string& path, const std::string& content, unsigned mode) {
  parents(path);
  write_all(open_file(host_path(path), O_WRONLY | O_CREAT | O_TRUNC).get(), content);
  ::chmod(host_path(path).c_str(), mode);
  return *this;
}

FileTree& FileTree::directory(const std::string& path, unsigned mode) {
  std::filesystem::create_directories(host_path(path));
  ::chmod(host_path(path).c_str(), mode);
  return *this;
}

FileTree& FileTree::link(const std::string& path, const std::string& target) {
  parents(path);
  std::filesystem::create_symlink(target, host_path(path));
  return *this;
}

FileTree& FileTree::hard_link(const std::string& path, const std::string& existing) {
  parents(path);
  std::filesystem::create_hard_link(host_path(existing), host_path(path));
  return *this;
}

FileTree& FileTree::time(const std::string& path, long seconds, long nanoseconds) {
  const struct timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
  ::utimensat(AT_FDCWD, host_path(path).c_str(), times, AT_SYMLINK_NOFOLLOW);
  return *this;
}

FileTree& FileTree::owner(const std::string& path, unsigned uid, unsigned gid) {
  if (::fchownat(AT_FDCWD, host_path(path).c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) std::abort();
  return *this;
}

image::Inode FileTree::inode(const std::string& path) const {
  const Fd parent = open_resolved(fd(), resolved_parent(path), O_RDONLY | O_DIRECTORY);
  return image::read_inode(parent.get(), path.empty() ? "." : resolved_name(path), owner_mode());
}

std::string FileTree::content(const std::string& path) const { return read_file(host_path(path)); }

std::string FileTree::at(const std::string& path) const {
  if (!try_open_resolved(fd(), path, O_PATH)) return "";
  const image::Inode found = inode(path);
  const std::string rest = fmt::format("{:04o} {}:{}", found.mode, found.uid, found.gid);
  switch (found.type) {
    case image::FileType::regular:
      return fmt::format("file {} {}", rest, content(path));
    case image::FileType::directory:
      return "dir " + rest;
    case image::FileType::symlink:
      return "link " + found.link_target;
    case image::FileType::fifo:
      return "fifo " + rest;
    case image::FileType::character:
      return fmt::format("char {} {}:{}", rest, found.rdev_major, found.rdev_minor);
    case image::FileType::block:
      return fmt::format("block {} {}:{}", rest, found.rdev_major, found.rdev_minor);
    case image::FileType::socket:
      return "socket " + rest;
    case image::FileType::whiteout:
      return "whiteout";
  }
  return "";
}

std::vector<std::string> FileTree::paths() const {
  std::vector<std::string> found;
  for (const auto& item : std::filesystem::recursive_directory_iterator(path_)) {
    found.push_back(item.path().string().substr(path_.size() + 1));
  }
  std::sort(found.begin(), found.end());
  return found;
}

image::OwnerMode owner_mode() { return ::geteuid() == 0 ? image::OwnerMode::real : image::OwnerMode::attributes; }

Tree context(const FileTree& tree) { return {.root = tree.fd(), .kind = Tree::Kind::context, .name = "context"}; }

Tree snapshot(const FileTree& tree) {
  return {.root = tree.fd(),
          .kind = Tree::Kind::snapshot,
          .missing = Tree::Missing::lstat,
          .owners = owner_mode(),
          .name = "stage"};
}

graph::FileAction copy_action(const std::string& source, const std::string& destination) {
  graph::FileAction action;
  action.input = 0;
  action.secondary = 1;
  action.source = source;
  action.destination = destination;
  action.make_parents = true;
  return action;
}

std::vector<std::string> list_of(const std::set<std::string>& paths) { return {paths.begin(), paths.end()}; }

std::vector<std::string> apply(const FileTree& root, const Tree& source, const graph::FileAction& action) {
  const std::vector<graph::FileAction> actions{action};
  const std::vector<Selection> selections{select(source, action)};
  return list_of(
      apply_file_actions(root.fd(), actions, selections, {.owners = owner_mode(), .threads = 2, .stop = {}}).paths);
}

std::vector<std::string> apply(const FileTree& root, const graph::FileAction& action) {
  const std::vector<graph::FileAction> actions{action};
  return list_of(apply_file_actions(root.fd(), actions, {}, {.owners = owner_mode(), .threads = 1, .stop = {}}).paths);
}

}  // namespace mbuild::executor::test
