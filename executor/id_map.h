#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/digest.h"
#include "image/inode.h"

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
  bool single = false;   // one id only: other owners are kept in attributes, setgroups is denied
  bool helpers = false;  // newuidmap and newgidmap write it

  // Of what determines the meaning of ids on disk: names the directory of the store. The layer format's version is the
  // store's to add.
  Digest digest() const;
  image::OwnerMode owner_mode() const { return single ? image::OwnerMode::attributes : image::OwnerMode::real; }
};

// The map that this process can give: all its ids when it has CAP_SETUID and CAP_SETGID; else its own id and the
// subordinate ids that /etc/subuid and /etc/subgid list for it; else its own id alone. Starts no process.
IdMap compute_id_map();

// Writes the map of process `pid`, a child in a new user namespace. Throws Error (host) with advice.
void write_id_map(const IdMap& map, pid_t pid);

// The ranges that a subuid file grants, as (first, count), in order; malformed lines are skipped.
std::vector<IdRange> parse_subordinate_ids(std::string_view text, std::string_view user, uid_t uid);

}  // namespace mbuild::executor
