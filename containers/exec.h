#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "containers/attend.h"
#include "containers/shelf.h"
#include "worker/sandbox/container_files.h"

// What is done to a container that runs.
namespace mbuild::containers {

struct ExecOptions {
  std::vector<std::string> argv, env;
  std::string user, working_directory;  // "": the container's
  bool terminal = false, open_stdin = false, detach = false;
  bool leaves_others = false;  // it is over when the program has ended, whatever others that it started still write
  std::function<void(const Fd& process)> on_start = {};  // called once; may be empty
};

// The number that the host has for a process, by what the kernel says of its pidfd; 0 or less: it has ended.
std::int32_t number_of(const Fd& process);

// Starts a program in a container, attended by this process, and returns its status; 0 at once where it is detached.
// Throws Error (usage) where the container does not run, Error where the program was not started.
int execute_in(const Container& container, const ExecOptions& options, const Streams& streams);

// Has files of a container that runs looked at, read or written. Throws Error (usage) where it does not run, and what
// serve_files throws.
executor::FileReply order_files(const Container& container, executor::FileOrder order);

// Its processes stand still as long as what is returned is open; they go on when this process ends, too, however it
// does. Throws Error (usage) where it does not run.
Fd hold_still(const Container& container);

// A socket to its process. Throws Error (usage) where there is none.
Fd call_container(const Container& container);
// A descriptor of its first process, where that runs.
Fd process_of_container(const Container& container);

// Sends a signal to the container's first process. False where it does not run.
bool send_signal(const Container& container, int signal);
// The container when it runs, or when nothing lives in it; nothing where it is gone.
std::optional<Container> settle(const Container& container, const std::stop_token& stop);
// Its stop signal, and SIGKILL where it still runs after so many seconds. One that was started anew since it was read
// runs on. With `keep` it stays when it has ended, whatever --rm says.
void stop_container(const Container& container, double seconds, const std::string& signal, const std::stop_token& stop,
                    bool keep = false);

// The processes in it, as the host numbers them.
struct Process {
  std::int32_t number = 0;
  std::uint32_t uid = 0;
  std::string command;
};
std::vector<Process> processes_of(const Container& container);

}  // namespace mbuild::containers
