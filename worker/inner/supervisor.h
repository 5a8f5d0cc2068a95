#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

// The inner side of the two processes: a supervisor that forks one process for each request.
namespace mbuild::executor {

// argv[1] of the inner process; argv[2] is the number of its socket.
inline constexpr const char* k_inner_argument = "internal-inner";

using Job = std::function<std::string(std::string_view payload, std::vector<Fd>& fds)>;

// Makes an operation known by name; before inner_main, in the main of the program.
//
// An operation runs in a process of its own: pid 1 of its pid namespace and alone in its mount namespace, so that its
// mounts and its children end with it. It is single-threaded when it begins and may start threads. What it throws
// reaches the caller. It sees the host's file system, with the ids of the user namespace, of which it is root.
void register_job(std::string name, Job job);

// The whole life of the inner process; returns its exit status when the outer process has gone.
int inner_main(int socket_fd);

}  // namespace mbuild::executor
