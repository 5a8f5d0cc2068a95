#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "layers/inode.h"

namespace mbuild::executor {

struct IdRange {
  std::uint32_t inside = 0;   // first id in the user namespace
  std::uint32_t outside = 0;  // first id in the namespace of the outer process
  std::uint32_t count = 0;
  auto operator<=>(const IdRange&) const = default;
};

// Which ids the user namespace of the inner process has.
struct IdMap {
  std::vector<IdRange> uids, gids;
  bool single = false;              // one id only: other owners are kept in attributes, setgroups is denied
  bool helpers = false;             // newuidmap and newgidmap write it
  bool lacks_capabilities = false;  // single because CAP_SETUID or CAP_SETGID is not in the bounding set
  bool host_high = false;           // of real root: the host's own ids are those from k_host_ids on

  // Of what determines the meaning of ids on disk: names the directory of the store. The layer format's version is the
  // store's to add.
  Digest digest() const;
  image::OwnerMode owner_mode() const { return single ? image::OwnerMode::attributes : image::OwnerMode::real; }
};

// In the map of real root the host's id N is k_host_ids + N; no file of an image may be given to one of these.
inline constexpr std::uint32_t k_host_ids = image::k_first_host_id;

// The map that this process can give: for root with all ids and CAP_SETUID, CAP_SETGID and CAP_SETFCAP, the map of real
// root (see the .cc); for another root its own ids; else its own id and the subordinate ids that /etc/subuid and
// /etc/subgid list for it; else, and where no user namespaces are to be had, its own id alone. Starts a process only
// where something (a filter, a sysctl) makes namespaces doubtful. Throws Error (host) when real root finds no ids for
// images that nobody else has.
IdMap compute_id_map();

// Throws Error (step_failed) "WHAT: ..." for an owner that no file of an image can have.
void check_image_owner(std::uint32_t uid, std::uint32_t gid, std::string_view what);

// What compute_id_map reads: one map of real root, of uids or of gids, with the subordinate ids that `subordinate` (the
// text of /etc/subuid or /etc/subgid) has for root, and without those that others have there or that are `in_use`.
// Empty when there is no room.
std::vector<IdRange> real_root_ranges(std::string_view subordinate, const std::vector<std::uint32_t>& in_use);

// True when this process can run programs as the host's root: it has all ids, and all that making mounts, namespaces
// and device nodes takes.
bool is_hosts_root();

// Where a file system's ids are to be seen as a process with this map sees them, but by one that has all ids: the map
// of a namespace for an id-mapped mount.
std::vector<IdRange> mount_ranges(const std::vector<IdRange>& map);

// Writes the map of process `pid`, a child in a new user namespace. Throws Error (host) with advice.
void write_id_map(const IdMap& map, pid_t pid);

// The ranges in the text of a uid_map file, as the reader sees it.
std::vector<IdRange> parse_id_map(std::string_view text);
// The lines of a uid_map file.
std::string id_map_text(const std::vector<IdRange>& ranges);

// The ranges that a subuid file grants, as (first, count), in order; malformed lines are skipped.
std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user, uid_t uid);

}  // namespace mbuild::executor
