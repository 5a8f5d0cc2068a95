#pragma once

#include <vector>

#include "worker/native/substitution.h"
#include "worker/sandbox/node_check.h"

namespace mbuild::executor {

// Answers one request of a sandboxed process from the listener of its seccomp filter, which is readable: to make a
// device node, a socket of i386's, or of an emulated program for its native equivalent (`native`, null where there is
// none). What can't be done is answered with an error to that process. A stand-in that was made is added to `made`.
// Returns the signal by which the process `first` means to end, 0 for anything else.
int answer_request(int listener, std::vector<MadeNode>& made, Substitution* native, pid_t first);

}  // namespace mbuild::executor
