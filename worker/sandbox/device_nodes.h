#pragma once

#include <vector>

#include "base/fd.h"
#include "worker/native/substitution.h"
#include "worker/sandbox/emulator_ends.h"
#include "worker/sandbox/held_sockets.h"
#include "worker/sandbox/node_check.h"

namespace mbuild::executor {

// What requests are answered with.
struct Answers {
  std::vector<MadeNode>* made = nullptr;  // stand-ins for device nodes that were made; null: none are
  Substitution* native = nullptr;         // null: no program has a native equivalent
  EmulatorEnds* emulated = nullptr;       // null: no program is emulated
  const std::vector<Fd>& emulators;       // that traced processes may execute
  HeldSockets* sockets = nullptr;         // null: all are made at once
  pid_t first = 0;                        // the first process
};

// Answers one request of a sandboxed process from the listener of its seccomp filter, which is readable: to make a
// device node, a socket before there is a network, one of i386's, of an emulated program for its native equivalent, or
// of a traced one for an emulator. What can't be done is answered with an error to that process. Returns the signal by
// which the first process means to end, 0 for anything else.
int answer_request(int listener, const Answers& answers);

}  // namespace mbuild::executor
