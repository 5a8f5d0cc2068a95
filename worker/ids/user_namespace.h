#pragma once

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "worker/ids/id_map.h"

// User namespaces below that of the inner process, and who its caller is there.
namespace mbuild::executor {

// A descriptor of a new user namespace, a child of this process's own, with these ids ("outside" is this process's
// view). It lives as long as its descriptors and the processes in it. The caller needs CAP_SETUID, CAP_SETGID and
// CAP_SETFCAP. Throws Error (host) with advice.
Fd make_user_namespace(const std::vector<IdRange>& uids, const std::vector<IdRange>& gids);

// The namespace for a program of an image: the ids of images and no others, each as itself. They are read from this
// process's own map, once: what is forked after prepare_step_namespaces does not read it again.
void prepare_step_namespaces();
Fd make_step_namespace();

// Joins a user namespace; the process must have one thread. It has all capabilities there and none elsewhere. Throws
// Error (host).
void enter_user_namespace(int descriptor);

// The ids that the caller of mbuild has in this namespace: 0 but in the map of real root.
struct CallerIds {
  std::uint32_t uid = 0, gid = 0;
};
CallerIds caller_ids();

// From now on this thread makes files, and connects to sockets, as the caller of mbuild; its capabilities stay. Throws
// Error (host).
void act_as_caller();

}  // namespace mbuild::executor
