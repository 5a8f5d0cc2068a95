#include "worker/host_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/feature.h"
#include "worker/ids/user_namespace.h"
#include "worker/snapshot/mount_calls.h"

namespace mbuild::executor {
namespace {

// The ranges of ids of images.
std::vector<IdRange> of_images(const std::vector<IdRange>& map) {
  std::vector<IdRange> out;
  for (const auto& range : map) {
    if (range.inside < k_host_ids) out.push_back(range);
  }
  return out;
}

int map_ids(const Fd& tree, const Fd& ids, int recursive) {
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(ids.get());
  return ::mount_setattr(tree.get(), "", static_cast<unsigned>(AT_EMPTY_PATH | recursive), &attributes,
                         sizeof attributes);
}

// With what is mounted below where all of that can map ids, else alone.
Fd mapped_tree(const std::string& source, const IdMap& map) {
  const Fd ids = make_user_namespace(of_images(map.uids), of_images(map.gids));
  if (!feature_disabled("mount-idmap")) {
    Fd all = clone_tree(AT_FDCWD, source, true);
    if (map_ids(all, ids, AT_RECURSIVE) == 0) return all;
    Fd alone = clone_tree(AT_FDCWD, source, false);
    if (map_ids(alone, ids, 0) == 0) return alone;
  } else {
    errno = EINVAL;
  }
  throw system_error(errno, fmt::format("show {} with the ids of a container", source), ExitClass::host)
      .with_advice(
          "It has to be on a file system with id-mapped mounts (ext4, xfs, btrfs, tmpfs): take a directory on one of "
          "these, or run the container as an ordinary user.");
}

}  // namespace

SandboxMount host_directory(const std::string& source, const std::string& target, bool read_only, const IdMap& map) {
  if (!path_exists(source)) {
    throw Error(ExitClass::usage, fmt::format("bind source path does not exist: {}", source))
        .with_advice("Make it, or use -v, which makes a directory where there is nothing.");
  }
  SandboxMount out;
  out.kind = graph::MountKind::bind;
  out.target = target;
  out.read_only = read_only;
  out.source = source;
  if (map.host_high) out.tree = mapped_tree(source, map);
  return out;
}

}  // namespace mbuild::executor
