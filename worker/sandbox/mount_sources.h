#pragma once

#include "base/fd.h"
#include "worker/sandbox/root.h"
#include "worker/sandbox/sandbox.h"

namespace mbuild::executor {

// The detached tree that a RUN --mount puts at its target in the root of `snapshot`; an ssh mount's socket is added to
// `agents`. Throws Error (step_failed) when a selected path is missing.
PreparedMount make_mount_source(const SandboxSpec& spec, const SandboxMount& mount, int snapshot,
                                std::vector<AgentSocket>& agents);

// Lines of /etc/hosts: the loopback's, which `own_name` means too ("": none does), and those that the user asks for.
std::string hosts_lines(const std::string& own_name,
                        const std::vector<std::pair<std::string, std::string>>& extra_hosts);
// Contents of /etc/hosts in a sandbox.
std::string hosts_file(const SandboxSpec& spec);

// Read-only files for /etc/resolv.conf and /etc/hosts.
std::vector<PreparedMount> make_system_mounts(const SandboxSpec& spec);

}  // namespace mbuild::executor
