#pragma once

#include <sys/types.h>

#include "base/fd.h"

namespace mbuild::executor {

// fork, with the child as pid 1 of a new pid namespace; later children of the caller are in its own again (threads
// could not be started otherwise). For a process with one thread. Throws Error (host).
pid_t fork_in_new_pid_namespace();

// A descriptor of a child (pidfd), which is readable when it has ended. Throws Error (host).
Fd process_descriptor(pid_t child);
// SIGKILL; nothing happens when it has ended.
void kill_process(int descriptor);

}  // namespace mbuild::executor
