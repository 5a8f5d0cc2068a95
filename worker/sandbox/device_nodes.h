#pragma once

#include <vector>

#include "worker/sandbox/node_check.h"

namespace mbuild::executor {

// Answers one request of a sandboxed process to make a device node, from the listener of its seccomp filter. `listener`
// is readable. What can't be done is answered with an error to that process. A stand-in that was made is added to
// `made`.
void answer_device_node(int listener, std::vector<MadeNode>& made);

}  // namespace mbuild::executor
