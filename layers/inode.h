#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

// What a file of a layer is, as an image sees it, and how that is kept in a directory of the store.
//
// A user namespace cannot make device nodes and, with one id only, cannot change owners. Both are therefore kept in
// extended attributes of a stand-in, read and written here and nowhere else. What a RUN leaves is not believed before
// it is a layer: see executor/node_check.h.
//   user.mbuild.node   on an empty regular file: "c MAJOR MINOR" or "b MAJOR MINOR"
//   user.mbuild.owner  "UID GID", when OwnerMode is attributes (symbolic links cannot carry it: their owner is 0:0)
namespace mbuild::image {

enum class OwnerMode { real, attributes };

// Ids from here on are the host's in the map of real root (worker/ids/id_map.h): no file of an image is given to them.
inline constexpr std::uint32_t k_first_host_id = 0x80000000;
// But from here on they are of images again: 4294967294 is the "nobody" of some.
inline constexpr std::uint32_t k_first_high_image_id = 0xffff0000;
constexpr bool is_image_id(std::uint32_t id) { return id < k_first_host_id || id >= k_first_high_image_id; }

enum class FileType { regular, directory, symlink, fifo, character, block, socket, whiteout };

struct Inode {
  FileType type = FileType::regular;
  std::uint32_t mode = 0;  // 07777 bits
  std::uint32_t uid = 0, gid = 0;
  std::uint64_t size = 0;  // bytes of a regular file
  std::int64_t mtime_sec = 0;
  std::uint32_t mtime_nsec = 0;
  std::uint32_t rdev_major = 0, rdev_minor = 0;
  std::string link_target;
  bool opaque = false;  // directory with user.overlay.opaque=y
  std::uint64_t device = 0, inode = 0, link_count = 1;
  // What an image carries: user.* and security.capability, as the image sees them. Overlay's own and user.mbuild.* are
  // left out; a name that overlay escaped (user.overlay.overlay.x) is here without the escape, and apply_inode escapes.
  std::map<std::string, std::string> xattrs;
};

// Reads name in directory (no following of links). A char 0/0 node is a whiteout. Throws Error (store).
Inode read_inode(int directory, const std::string& name, OwnerMode owners = OwnerMode::real);
// Gives an existing file mode, owner, xattrs and mtime, in the order that keeps setuid bits. Throws Error (store).
void apply_inode(int directory, const std::string& name, const Inode& inode, OwnerMode owners = OwnerMode::real);
// The same for an open regular file or directory.
void apply_inode(int fd, const Inode& inode, OwnerMode owners = OwnerMode::real);
// Makes a special file (fifo, socket stand-in, device stand-in) or symlink; then apply_inode completes it.
void make_special(int directory, const std::string& name, const Inode& inode);
// Marks a directory as hiding what lower layers have in it (user.overlay.opaque=y).
void make_opaque(int directory, const std::string& name);
// Marks a directory as one that overlay has to search for whiteouts, also where it is merged with none below it
// (user.overlay.origin, empty: what a copied-up directory has whose origin is not known).
void mark_as_with_whiteouts(int directory);

}  // namespace mbuild::image
