#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "worker/sandbox/exec_plan.h"

// Programs of foreign platforms where the kernel knows no handler for them: each exec of a step stops for a tracer,
// which lets it execute the emulator where the kernel itself knows no way (design, Emulation).
namespace mbuild::executor {

// "" where processes can be traced here, else what is in the way.
std::string tracing_problem();

// Starts a process that traces `first`, a child of this one, and all that it starts, and ends when all of that has
// ended. Returns when `first` is traced; it has to be waited for. `procfs`: of a pid namespace from which they are
// seen. Throws Error (host).
pid_t start_tracer(pid_t first, const std::vector<Emulator>& emulators, int procfs);

}  // namespace mbuild::executor
