#pragma once

#include <sys/types.h>

#include <functional>

#include "base/fd.h"

namespace mbuild::executor {

// fork, with the child as pid 1 of a new pid namespace; later children of the caller are in its own again (threads
// could not be started otherwise). For a process with one thread. Throws Error (host).
pid_t fork_in_new_pid_namespace();
// The same for a child that soon executes a program: it has the caller's memory until then, and the caller waits. That
// spares the copying of page tables, a seventh of what a trivial step costs. The body must not return, and objects that
// the caller still needs (descriptors are copied, the objects that hold their numbers are not) must be left as they
// are.
pid_t spawn_in_new_pid_namespace(const std::function<void()>& body);

// A descriptor of a child (pidfd), which is readable when it has ended. Throws Error (host).
Fd process_descriptor(pid_t child);
// SIGKILL; nothing happens when it has ended.
void kill_process(int descriptor);

}  // namespace mbuild::executor
