#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

// What to say where the host has no namespaces for a build, or not all of their isolation.
namespace mbuild::executor {

inline constexpr const char* k_proc_remedy =
    "in a container: start it with --security-opt systempaths=unconfined (podman: --security-opt unmask=ALL)";

// False where user namespaces with mounts in them are not to be had. Cheap, but where there is reason for doubt: then a
// child tries.
bool may_have_namespaces();

// The command that allows user namespaces on this host, found from its sysctls; for error messages.
std::string userns_remedy();

// The error of a sandbox that the host does not isolate as it should, with what helps: the host's remedy, or to accept
// it, with what follows from that.
Error add_isolation_advice(Error error, std::string_view consequence);

}  // namespace mbuild::executor
