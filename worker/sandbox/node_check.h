#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "layers/inode.h"
#include "worker/snapshot/snapshot_mount.h"

// Which device nodes in the result of a RUN are there by right.
namespace mbuild::executor {

// Which file it is, whatever it is called: an inode number that is used again belongs to a file with another time.
struct FileBirth {
  std::uint64_t inode = 0;
  std::int64_t sec = 0;
  std::uint32_t nsec = 0;
  bool operator==(const FileBirth&) const = default;
};
FileBirth birth_of(int fd);

// A stand-in for a device node that was made for a program that may make one.
struct MadeNode {
  FileBirth birth;
  std::string value;  // of the attribute
  bool operator==(const MadeNode&) const = default;
};

// Removes the attribute that makes a file a device node from those of `paths` (relative, in the upper directory of a
// RUN) that are none by right: neither one of `made`, nor of a node that the step's root or one of its bind mounts has
// with the same owner and mode, nor that node itself, changed where only root can have done it. True when there was
// one. `snapshot` is the root of the step, `scratch` a directory for mounts.
bool remove_forged_nodes(int upper, const std::vector<std::string>& paths, std::span<const MadeNode> made, int snapshot,
                         std::span<const Stack> bind_mounts, const std::string& scratch, image::OwnerMode owners);

}  // namespace mbuild::executor
