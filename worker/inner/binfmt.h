#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "platforms/platform.h"
#include "worker/inner/inner.h"

// Handlers for foreign programs: a private binfmt_misc (emulation.md, Rootless registration), or the host's own.
namespace mbuild::executor {

enum class EmulationWay { private_instance, host_handler, traced };

// Makes programs of the platform runnable in every sandbox of `inner`: by `line` (emu::registration_line) in the
// private instance; where the kernel has none, by a handler that the host has registered with flag F; where it has none
// either, `traced`: each sandbox has to be told the emulator (SandboxSpec::emulators). Throws Error (host) that names
// the command to run.
EmulationWay provide_emulation(Inner& inner, const platforms::Descriptor& platform, const std::string& line);

// The name of an enabled host registration with flag F that matches programs of the platform. `directory` is
// /proc/sys/fs/binfmt_misc but in tests.
std::optional<std::string> host_handler(const platforms::Descriptor& platform,
                                        const std::string& directory = "/proc/sys/fs/binfmt_misc");

// In the supervisor: writes registration lines (one a line) to a private instance; a name that is there already is left
// as it is. Throws Error (host).
void write_binfmt_lines(int instance, std::string_view lines);

}  // namespace mbuild::executor
