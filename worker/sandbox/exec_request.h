#pragma once

namespace mbuild::executor {

// The operation of a request that whoever has the other side of ContainerSetup::report sends to start a program in the
// sandbox, as long as that runs. Its payload is an encoded SandboxSpec, of which the program, its user, directory,
// variables, capabilities and streams count; the `report` in that is told that it began (ready, as for the first
// program), and by another message how it ended (result, with its status as the number) or why it was not started
// (error).
inline constexpr const char* k_exec = "exec";

// One that asks what another sandbox needs to be in the network of this one: its descriptor is a socket for the answer
// (ready), which has the text of resolv.conf, "" for the host's, and the descriptors of the user namespace and, where
// the network is not the host's, of the network namespace.
inline constexpr const char* k_network = "network";

}  // namespace mbuild::executor
