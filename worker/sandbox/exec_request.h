#pragma once

#include "base/fd.h"

namespace mbuild::executor {

// The operation of a request that whoever has the other side of ContainerSetup::report sends to start a program in the
// sandbox, as long as that runs. Its payload is an encoded SandboxSpec, of which the program, its user, directory,
// variables, capabilities and streams count; the `report` in that is told that it began (ready, as for the first
// program), and by another message how it ended (result, with its status as the number) or why it was not started
// (error).
inline constexpr const char* k_exec = "exec";

// The operation by which all processes of the sandbox stand still. Its payload is an encoded PauseOrder: its socket is
// told when they do (result), and they go on when the other side of it is closed, whatever closes it.
inline constexpr const char* k_pause = "pause";
struct PauseOrder {
  Fd report;
};

// One that asks what another sandbox needs to be in the network of this one: its descriptor is a socket for the answer
// (ready), which has the text of resolv.conf, "" for the host's, and the descriptors of the user namespace and, where
// the network is not the host's, of the network namespace.
inline constexpr const char* k_network = "network";

}  // namespace mbuild::executor
