#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "worker/sandbox/sandbox.h"
#include "worker/sandbox/ssh_forward.h"
#include "worker/sandbox/system.h"
#include "worker/sandbox/user.h"

// The file system that the program of a RUN sees. The job prepares what it can (prepare_root), the first process of the
// sandbox puts it together in its own namespaces (enter_root).
namespace mbuild::executor {

struct PreparedMount {
  std::string target;
  Fd tree;  // detached
  bool directory = true;
};

struct PreparedRoot {
  Fd root;  // detached overlay
  SandboxUser user;
  std::vector<Stub> stubs;                   // in the generated lower directory
  std::vector<PreparedMount> system_mounts;  // resolv.conf and hosts
  std::vector<PreparedMount> mounts;         // of the RUN, in the order of their targets
  std::vector<AgentSocket> agents;
  std::string place;  // an empty directory, on which the root is put before the pivot
  std::string upper;
};

// Mounts the snapshot with stubs for all mount points that it, seen through `snapshot`, lacks; resolves the user, makes
// the working directory, and prepares the mounts.
PreparedRoot prepare_root(const SandboxSpec& spec, int snapshot);

// In the first process of the sandbox, in its own namespaces: joins everything, makes it the root directory, and
// verifies what protects the host.
SystemMounts enter_root(const SandboxSpec& spec, PreparedRoot& prepared);

// Afterwards: removes whiteouts of stubs from the upper directory.
void remove_stub_whiteouts(const PreparedRoot& prepared);

}  // namespace mbuild::executor
