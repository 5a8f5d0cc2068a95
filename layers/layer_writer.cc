// Where entries go
//
// A tar names files by paths, and a malicious one names files outside: by "..", by an absolute path, or through a
// symbolic link that it made before. So no path of an entry is ever given to the kernel. It is cut into components, and
// each is opened alone, without following links. A link in the way is followed by hand, inside the layer's own
// directory, as container engines do: an absolute target begins at its root, ".." stops there. The result is a path
// without links, and that is what all tables here are keyed by. As nobody else changes the directory there is no race.
//
// Whiteouts are about lower layers only, wherever they stand in the tar. A name that has a whiteout and an entry: where
// the entry is a directory it becomes opaque, anything else hides what is below without help. A directory with a
// whiteout is marked as such: whether overlay merges it depends on what is below, and it looks for whiteouts in marked
// and merged ones only. In others it would list the name of something that is not there.
//
// A directory without an entry of its own is *implied*: it gets root's ownership and mode 0755 here, and is reported,
// so that whoever stacks the layer can show the lower layer's metadata instead. (Engines copy that metadata at this
// point; here a layer must not depend on what is below it.) A hard link whose target only a lower layer has breaks this
// rule by necessity: it is copied, and reported.
#include "layers/layer_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>

#include "base/error.h"
#include "base/strings.h"
#include "base/write_at.h"
#include "layers/layer_stack.h"
#include "layers/layer_walk.h"
#include "layers/remove_tree.h"
#include "layers/tar_format.h"

namespace mbuild::image {
namespace {

constexpr int k_max_links = 255;
constexpr int k_directory_flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::string_view k_metadata_prefix = ".wh..wh.";  // of AUFS; the opaque marker is one of them
constexpr std::string_view k_private_xattrs[] = {"user.overlay.", "trusted.overlay.", "user.mbuild."};

[[noreturn]] void malformed(std::string what) { throw Error(ExitClass::network, std::move(what)); }

std::vector<std::string> components_of(std::string_view path) {
  std::vector<std::string> components;
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      components.push_back(std::move(part));
    } else if (components.empty()) {
      malformed("the path leads out of the layer");
    } else {
      components.pop_back();
    }
  }
  return components;
}

std::string joined(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : fmt::format("{}/{}", directory, name);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string last_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool exists(int parent, const std::string& name, struct stat& status) {
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw system_error(errno, "read " + name);
}

bool is_whiteout(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == 0; }

Fd open_directories(int root, const std::string& path) {
  struct open_how how{};
  how.flags = k_directory_flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how)));
}

FileType special_type(const TarEntry& entry) {
  switch (entry.type) {
    case '2':
      if (entry.link_target.empty()) malformed("a symbolic link without a target");
      return FileType::symlink;
    case '3':
      if (entry.dev_major == 0 && entry.dev_minor == 0) malformed("a device 0/0, which overlay takes for a whiteout");
      return FileType::character;
    case '4':
      return FileType::block;
    case '6':
      return FileType::fifo;
    default:
      malformed(fmt::format("an entry of the unknown type {:#04x}", static_cast<unsigned char>(entry.type)));
  }
}

}  // namespace

void LayerWriter::add(const TarEntry& entry, const std::function<TarPiece()>& content) {
  const Components components = components_of(entry.path);
  if (components.empty()) return root_entry(entry);
  for (std::size_t i = 0; i + 1 < components.size(); ++i) {
    if (components[i].starts_with(k_metadata_prefix)) return;
    if (components[i].starts_with(k_whiteout_prefix)) malformed("something below a whiteout");
  }
  if (components.back().starts_with(k_whiteout_prefix)) return whiteout(components);
  const Place at = place(components);
  switch (entry.type) {
    case '0':
      return regular(entry, at, content);
    case '1':
      return hard_link(entry, at);
    case '5':
      return directory(entry, at);
    default:
      return special(entry, at);
  }
}

std::vector<std::string> LayerWriter::finish() {
  std::vector<std::string> implied;
  const auto complete = [&](const std::string& path, const Directory& state) {
    if (state.implied) implied.push_back(path);
    const Fd parent = open_below(root_, parent_of(path), O_PATH | O_DIRECTORY);
    const struct timespec times[2] = {{0, UTIME_OMIT}, {state.mtime_sec, state.mtime_nsec}};
    const std::string name = path.empty() ? "." : last_of(path);
    if (::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
      throw system_error(errno, "set the time of " + path);
    }
    if ((state.mode & 0700) != 0700 && ::fchmodat(parent.get(), name.c_str(), state.mode, 0) != 0) {
      throw system_error(errno, "set the mode of " + path);
    }
  };
  // What is deeper first, because a mode may shut a directory.
  for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) complete(it->first, it->second);
  complete("", root_directory_);
  std::sort(implied.begin(), implied.end());
  return implied;
}

LayerWriter::Place LayerWriter::place(const Components& components) {
  Components key(components.begin(), components.end() - 1);
  if (!parent_ || key != parent_key_) {
    find_parent(key, true, parent_, parent_path_);
    parent_key_ = std::move(key);
  }
  return {parent_.get(), components.back(), joined(parent_path_, components.back())};
}

// Finds the directory that the components lead to. False when it is not there and is not to be made.
bool LayerWriter::find_parent(Components components, bool make, Fd& parent, std::string& path) {
  path = join(components, "/");
  parent = open_directories(root_, path);
  if (parent) return true;

  std::deque<std::string> rest(components.begin(), components.end());
  path.clear();
  parent = open_below(root_, "", k_directory_flags);
  for (int links = 0; !rest.empty();) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      path = parent_of(path);
      parent = open_below(root_, path, k_directory_flags);
      continue;
    }
    struct stat status;
    if (exists(parent.get(), name, status) && S_ISLNK(status.st_mode)) {
      if (++links > k_max_links) malformed("too many symbolic links in its path");
      const Inode link = read_inode(parent.get(), name);
      if (link.link_target.starts_with('/')) {
        path.clear();
        parent = open_below(root_, "", k_directory_flags);
      }
      const Components target = split(link.link_target, '/');
      rest.insert(rest.begin(), target.begin(), target.end());
      continue;
    }
    path = joined(path, name);
    parent = enter(parent, name, path, make);
    if (!parent) return false;
  }
  return true;
}

Fd LayerWriter::enter(const Fd& from, const std::string& name, const std::string& path, bool make) {
  Fd next(::openat(from.get(), name.c_str(), k_directory_flags));
  if (next || !make) return next;
  if (errno == ENOENT) return make_implied(from, name, path);
  struct stat status;
  if (exists(from.get(), name, status) && is_whiteout(status)) {
    if (::unlinkat(from.get(), name.c_str(), 0) != 0) throw system_error(errno, "replace " + path);
    next = make_implied(from, name, path);
    make_opaque(from.get(), name);
    directories_[path].implied = false;
    return next;
  }
  malformed(fmt::format("{} is not a directory", path));
}

Fd LayerWriter::make_implied(const Fd& parent, const std::string& name, const std::string& path) {
  if (::mkdirat(parent.get(), name.c_str(), 0755) != 0) throw system_error(errno, "make directory " + path);
  Inode inode;
  inode.type = FileType::directory;
  inode.mode = 0755;
  apply_inode(parent.get(), name, inode, owners_);
  directories_[path] = {};
  return open_at(parent.get(), name, k_directory_flags);
}

Inode LayerWriter::inode_of(const TarEntry& entry, FileType type) const {
  Inode inode;
  inode.type = type;
  inode.mode = entry.mode;
  inode.uid = entry.uid;
  inode.gid = entry.gid;
  inode.mtime_sec = entry.mtime_sec;
  inode.mtime_nsec = entry.mtime_nsec;
  inode.rdev_major = entry.dev_major;
  inode.rdev_minor = entry.dev_minor;
  if (type == FileType::symlink) inode.link_target = entry.link_target;
  for (const auto& [name, value] : entry.xattrs) {
    const bool is_private = std::any_of(std::begin(k_private_xattrs), std::end(k_private_xattrs),
                                        [&](std::string_view prefix) { return name.starts_with(prefix); });
    if (!is_private && name.find('\0') == std::string::npos) inode.xattrs.emplace(name, value);
  }
  return inode;
}

void LayerWriter::root_entry(const TarEntry& entry) {
  if (entry.type != '5') malformed("the root of the layer is not a directory");
  Inode inode = inode_of(entry, FileType::directory);
  inode.mode |= 0700;
  apply_inode(root_, ".", inode, owners_);
  root_directory_ = {false, entry.mode, entry.mtime_sec, entry.mtime_nsec};
}

void LayerWriter::directory(const TarEntry& entry, const Place& at) {
  if (::mkdirat(at.parent, at.name.c_str(), 0755) != 0) {
    if (errno != EEXIST) throw system_error(errno, "make directory");
    struct stat status;
    if (exists(at.parent, at.name, status) && !S_ISDIR(status.st_mode)) {
      clear(at);
      if (::mkdirat(at.parent, at.name.c_str(), 0755) != 0) throw system_error(errno, "make directory");
    }
  }
  Inode inode = inode_of(entry, FileType::directory);
  inode.opaque = deleted_.contains(at.path);
  inode.mode |= 0700;  // until finish(), for those who are not root
  apply_inode(at.parent, at.name, inode, owners_);
  directories_[at.path] = {false, entry.mode, entry.mtime_sec, entry.mtime_nsec};
}

void LayerWriter::regular(const TarEntry& entry, const Place& at, const std::function<TarPiece()>& content) {
  constexpr int k_flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd file(::openat(at.parent, at.name.c_str(), k_flags, 0600));
  if (!file) {
    if (errno != EEXIST) throw system_error(errno, "create");
    clear(at);
    file = open_at(at.parent, at.name, k_flags, 0600);
  }
  std::uint64_t end = 0;
  for (TarPiece piece = content(); !piece.bytes.empty(); piece = content()) {
    write_at(file.get(), piece.bytes, piece.offset);
    end = piece.offset + piece.bytes.size();
    bytes_ += piece.bytes.size();
  }
  if (end < entry.size && ::ftruncate(file.get(), static_cast<off_t>(entry.size)) != 0) {
    throw system_error(errno, fmt::format("make {} bytes long", entry.size));
  }
  apply_inode(file.get(), inode_of(entry, FileType::regular), owners_);
}

void LayerWriter::special(const TarEntry& entry, const Place& at) {
  const Inode inode = inode_of(entry, special_type(entry));
  struct stat status;
  if (exists(at.parent, at.name, status)) clear(at);
  make_special(at.parent, at.name, inode);
  apply_inode(at.parent, at.name, inode, owners_);
}

void LayerWriter::hard_link(const TarEntry& entry, const Place& at) {
  const Components target = components_of(entry.link_target);
  if (target.empty()) malformed("a hard link without a target");
  Fd parent;
  std::string path;
  struct stat status;
  const bool here = find_parent({target.begin(), target.end() - 1}, false, parent, path) &&
                    exists(parent.get(), target.back(), status) && !is_whiteout(status);
  if (!here) {
    link_into_lower(entry, target, at);
  } else {
    if (S_ISDIR(status.st_mode)) malformed("a hard link to the directory " + entry.link_target);
    link_to(parent.get(), target.back(), at);
  }
  apply_link_metadata(entry, at);
}

void LayerWriter::link_to(int parent, const std::string& name, const Place& at) {
  if (::linkat(parent, name.c_str(), at.parent, at.name.c_str(), 0) == 0) return;
  if (errno == EEXIST) {
    struct stat target, present;
    if (exists(parent, name, target) && exists(at.parent, at.name, present) && target.st_ino == present.st_ino) return;
    clear(at);
    if (::linkat(parent, name.c_str(), at.parent, at.name.c_str(), 0) == 0) return;
  }
  throw system_error(errno, "hard link to " + name);
}

void LayerWriter::link_into_lower(const TarEntry& entry, const Components& target, const Place& at) {
  const auto found = find_in_stack(lower_, join(target, "/"));
  if (!found) {
    throw MissingLinkTarget(ExitClass::network, "a hard link to " + entry.link_target + ", which is not there");
  }
  links_into_lower_ = true;
  const Fd source_parent = open_below(found->layer, parent_of(found->path), O_PATH | O_DIRECTORY);
  const std::string source_name = last_of(found->path);
  const Inode inode = read_inode(source_parent.get(), source_name, owners_);
  if (inode.type == FileType::directory) malformed("a hard link to the directory " + entry.link_target);

  const auto key = std::pair(inode.device, inode.inode);
  if (const auto copy = copied_.find(key); copy != copied_.end()) {
    const Fd parent = open_below(root_, parent_of(copy->second.first), O_PATH | O_DIRECTORY);
    const std::string name = last_of(copy->second.first);
    struct stat status;
    if (exists(parent.get(), name, status) && status.st_ino == copy->second.second) {
      return link_to(parent.get(), name, at);
    }
  }
  struct stat status;
  if (exists(at.parent, at.name, status)) clear(at);
  copy_from(source_parent.get(), source_name, inode, at);
  if (exists(at.parent, at.name, status)) copied_[key] = {at.path, status.st_ino};
}

void LayerWriter::copy_from(int source_parent, const std::string& source_name, const Inode& inode, const Place& at) {
  if (inode.type == FileType::regular) {
    const Fd source = open_at(source_parent, source_name, O_RDONLY | O_NOFOLLOW);
    const Fd file = open_at(at.parent, at.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    std::string buffer(256 * 1024, '\0');
    for (std::uint64_t offset = 0;;) {
      const std::size_t n = read_full(source.get(), std::as_writable_bytes(std::span(buffer)));
      write_at(file.get(), std::string_view(buffer.data(), n), offset);
      offset += n;
      if (n < buffer.size()) break;
    }
    bytes_ += inode.size;
  } else {
    make_special(at.parent, at.name, inode);
  }
  apply_inode(at.parent, at.name, inode, owners_);
}

// The header of a link counts too, as it does for container engines.
void LayerWriter::apply_link_metadata(const TarEntry& entry, const Place& at) {
  const Inode present = read_inode(at.parent, at.name, owners_);
  Inode wanted = inode_of(entry, present.type);
  if (present.type == FileType::symlink) wanted.mode = present.mode;
  for (const auto& [name, value] : present.xattrs) wanted.xattrs.emplace(name, value);
  const bool same = present.mode == wanted.mode && present.uid == wanted.uid && present.gid == wanted.gid &&
                    present.mtime_sec == wanted.mtime_sec && present.mtime_nsec == wanted.mtime_nsec &&
                    present.xattrs == wanted.xattrs;
  if (!same) apply_inode(at.parent, at.name, wanted, owners_);
}

void LayerWriter::whiteout(const Components& components) {
  const std::string& marker = components.back();
  if (marker.starts_with(k_metadata_prefix) && marker != k_opaque_marker) return;
  Components target = components;
  if (marker == k_opaque_marker) {
    target.back() = ".";
    const Place at = place(target);
    return make_opaque(at.parent, at.name);
  }
  target.back() = marker.substr(k_whiteout_prefix.size());
  if (target.back().empty() || target.back() == "." || target.back() == "..") malformed("a whiteout of nothing");
  const Place at = place(target);
  deleted_.insert(at.path);
  struct stat status;
  if (!exists(at.parent, at.name, status)) {
    Inode inode;
    inode.type = FileType::whiteout;
    make_special(at.parent, at.name, inode);
    if (with_whiteouts_.insert(parent_of(at.path)).second) mark_as_with_whiteouts(at.parent);
  } else if (S_ISDIR(status.st_mode)) {
    make_opaque(at.parent, at.name);
    directories_[at.path].implied = false;
  }
}

// Removes what an earlier entry of this layer, or a whiteout, put there.
void LayerWriter::clear(const Place& at) {
  remove_tree(at.parent, at.name);
  const std::string below = at.path + "/";
  directories_.erase(at.path);
  directories_.erase(directories_.lower_bound(below), directories_.lower_bound(at.path + "0"));  // '0' is '/' + 1
  deleted_.erase(deleted_.lower_bound(below), deleted_.lower_bound(at.path + "0"));
  with_whiteouts_.erase(at.path);
  with_whiteouts_.erase(with_whiteouts_.lower_bound(below), with_whiteouts_.lower_bound(at.path + "0"));
  // The cached parent may be gone, or be reached through what is gone; the descriptor in `at` stays open for its user.
  parent_key_ = {"/"};
}

}  // namespace mbuild::image
