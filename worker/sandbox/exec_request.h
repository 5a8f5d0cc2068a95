#pragma once

namespace mbuild::executor {

// The operation of a request that whoever has the other side of ContainerSetup::report sends to start a program in the
// sandbox, as long as that runs. Its payload is an encoded SandboxSpec, of which the program, its user, directory,
// variables, capabilities and streams count; the `report` in that is told that it began (ready, as for the first
// program), and by another message how it ended (result, with its status as the number) or why it was not started
// (error).
inline constexpr const char* k_exec = "exec";

}  // namespace mbuild::executor
