#include "worker/sandbox/node_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/fd.h"
#include "files/root_path.h"
#include "layers/layer_walk.h"

// The attribute that says "device node" is one that every owner of a file may set, and who may read a node's may copy
// it. So what a RUN leaves is looked at before it becomes a layer, where it has such files at all; the layers that
// there are need no further look. What is by right:
//
// - a stand-in that the job made when a program with CAP_MKNOD asked for it, whatever was done to it afterwards. It is
//   known by inode number and time of birth, which programs can't choose;
// - a copy with the same device, owner and mode of a node that the step found: whoever made it gained nothing. (`cp -a`
//   of a tree with nodes copies the attribute.)
// - a node of the layers below that was changed where it is, if on the way to it every directory is root's and can be
//   written by root alone: nobody else could have put another file in its place.
namespace mbuild::executor {
namespace {

constexpr const char* k_node = "user.mbuild.node";

using NodeKey = std::tuple<image::FileType, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;

bool is_node(const image::Inode& inode) {
  return inode.type == image::FileType::character || inode.type == image::FileType::block;
}

NodeKey key_of(const image::Inode& inode) {
  return {inode.type, inode.rdev_major, inode.rdev_minor, inode.uid, inode.gid, inode.mode};
}

bool same_device(const image::Inode& a, const image::Inode& b) {
  return a.type == b.type && a.rdev_major == b.rdev_major && a.rdev_minor == b.rdev_minor;
}

void add_nodes(int root, image::OwnerMode owners, std::set<NodeKey>& out) {
  image::walk_tree(root, owners, [&](const image::WalkEntry& entry) {
    if (is_node(entry.inode)) out.insert(key_of(entry.inode));
  });
}

bool only_root_writes(int root, const std::string& directory, image::OwnerMode owners) {
  const Fd fd = try_open_resolved(root, directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return false;
  const auto inode = image::read_inode(fd.get(), ".", owners);
  return inode.uid == 0 && (inode.mode & 022) == 0;
}

// True when the file is the node that the snapshot has there.
bool changed_in_place(int upper, int snapshot, const std::string& path, const image::Inode& found,
                      image::OwnerMode owners) {
  const Fd parent = try_open_resolved(snapshot, resolved_parent(path), O_RDONLY | O_DIRECTORY);
  struct stat status;
  if (!parent || ::fstatat(parent.get(), resolved_name(path).c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) return false;
  if (!same_device(image::read_inode(parent.get(), resolved_name(path), owners), found)) return false;
  for (std::string at = path; !at.empty();) {
    at = resolved_parent(at);
    if (!only_root_writes(snapshot, at, owners) || !only_root_writes(upper, at, owners)) return false;
  }
  return true;
}

std::string node_attribute(int fd) {
  char value[64];
  const ssize_t size = ::fgetxattr(fd, k_node, value, sizeof value);
  return size < 0 ? "" : std::string(value, static_cast<std::size_t>(size));
}

struct Suspect {
  std::string path;
  image::Inode inode;
};

std::vector<Suspect> suspects(int upper, const std::vector<std::string>& paths, std::span<const MadeNode> made,
                              image::OwnerMode owners) {
  std::vector<Suspect> out;
  for (const auto& path : paths) {
    const Fd parent = image::open_below(upper, std::string(resolved_parent(path)), O_RDONLY | O_DIRECTORY);
    const std::string name = resolved_name(path);
    const Fd file(::openat(parent.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat status;
    if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)) continue;  // a real one
    const MadeNode here{birth_of(file.get()), node_attribute(file.get())};
    if (std::find(made.begin(), made.end(), here) != made.end()) continue;
    out.push_back({path, image::read_inode(parent.get(), name, owners)});
  }
  return out;
}

}  // namespace

FileBirth birth_of(int fd) {
  struct statx status = {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) < 0) return {};
  return {status.stx_ino, status.stx_btime.tv_sec, status.stx_btime.tv_nsec};
}

bool remove_forged_nodes(int upper, const std::vector<std::string>& paths, std::span<const MadeNode> made, int snapshot,
                         std::span<const Stack> bind_mounts, const std::string& scratch, image::OwnerMode owners) {
  const auto doubtful = suspects(upper, paths, made, owners);
  if (doubtful.empty()) return false;
  std::set<NodeKey> known;
  add_nodes(snapshot, owners, known);
  for (const auto& stack : bind_mounts) {
    const Fd tree = mount_snapshot(stack, scratch);
    add_nodes(open_at(tree.get(), ".", O_RDONLY | O_DIRECTORY).get(), owners, known);
  }
  bool removed = false;
  for (const auto& [path, inode] : doubtful) {
    if (known.contains(key_of(inode)) || changed_in_place(upper, snapshot, path, inode, owners)) continue;
    const Fd file = image::open_below(upper, path, O_RDONLY);
    if (::fremovexattr(file.get(), k_node) < 0) throw system_error(errno, "remove an attribute of " + path);
    removed = true;
  }
  return removed;
}

}  // namespace mbuild::executor
