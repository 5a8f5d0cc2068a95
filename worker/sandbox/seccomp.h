#pragma once

#include <linux/filter.h>

#include <vector>

namespace mbuild::executor {

using BpfProgram = std::vector<sock_filter>;

// The filter of a sandbox (see seccomp.cc). Building it takes milliseconds.
BpfProgram build_sandbox_filter();
// The same, built once for all jobs of an inner process: the first that needs it leaves it in shared memory.
BpfProgram sandbox_filter();
// The filter of a step with native programs: the supervisor answers what the piece in an emulator asks, and uname;
// limits of memory are not set, as emulated programs set none.
BpfProgram with_machine(const BpfProgram& filter);
// The filter of an emulated step: the supervisor hears how emulators end.
BpfProgram with_crashes(const BpfProgram& filter);
// The filter of a step whose programs are traced (exec_trace.h): each exec stops for the tracer. An empty one is one
// that allows all.
BpfProgram with_exec_tracing(const BpfProgram& filter);
// The filter of a step that begins before its network is there: sockets by which it would be seen stop for whoever
// supervises (held_sockets.h). Empty where the numbers of the architecture are not known.
BpfProgram with_held_sockets(const BpfProgram& filter);
// Called by the supervisor before it forks jobs: makes the shared memory.
void prepare_filter_cache();

// Installs the filter on this process; needs CAP_SYS_ADMIN in the user namespace. Returns the descriptor on which
// requests to make device nodes arrive (device_nodes.h), -1 when the kernel has no such thing; throws Error (host).
int install_filter(const BpfProgram& program);
// The same for one that is of no use without a listener: -1, and nothing is installed, when there can be none.
int install_listening_filter(const BpfProgram& program);

}  // namespace mbuild::executor
