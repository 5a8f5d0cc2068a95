#pragma once

#include <string>
#include <vector>

#include "worker/sandbox/sandbox.h"
#include "worker/sandbox/user.h"

// The last steps of the first process of a sandbox: it becomes the program.
namespace mbuild::executor {

// What the program of a RUN may do, and that of a container about which nothing else is said: docker's list.
std::vector<int> default_capabilities();

// Drops capabilities that the program is not to have from the bounding set (nothing for --security=insecure), takes the
// user's ids and leaves it with the capabilities it should have. Throws Error (host).
void take_identity(const SandboxSpec& spec, const SandboxUser& user);

// Lowers or raises soft limits, and lowers hard ones. Throws Error (step_failed) for an unknown name.
void set_limits(const std::vector<graph::Ulimit>& limits);

// The environment without repeated names (the last value counts) and with HOME.
std::vector<std::string> complete_environment(const std::vector<std::string>& env, const SandboxUser& user);

// Signals, standard input (from `null`, unless the spec has one) and output, session, umask. All descriptors but
// `channel` and that of the network that is coming are closed.
void set_up_process(const SandboxSpec& spec, int null, int channel);

// Makes a terminal in /dev/pts, of the user, that of this session and its three streams. Returns the other side. Throws
// Error (host).
Fd take_terminal(const SandboxUser& user);

// Returns in a child, which is to become the program; this process passes signals on to it, reaps what nobody waits
// for, and ends with its status. `channel` is the child's from then on.
void stay_as_init(int channel);

// Changes to the working directory, which must be in the root. For a process without descriptors of the host's. Throws
// Error (step_failed).
void enter_working_directory(const SandboxSpec& spec);

// Executes argv[0], found in the PATH of the environment. Returns by throwing Error (step_failed) only, in runc's
// words.
[[noreturn]] void execute(const std::vector<std::string>& argv, const std::vector<std::string>& env);

}  // namespace mbuild::executor
