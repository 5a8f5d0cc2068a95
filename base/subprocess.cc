#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/host_variable.h"
#include "base/strings.h"

extern char** environ;

namespace mbuild {
namespace {

// This process's environment with `changes` laid over it.
std::vector<char*> environment_with(const std::vector<std::string>& changes) {
  std::vector<char*> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name(*entry, std::strcspn(*entry, "="));
    const bool replaced = std::any_of(changes.begin(), changes.end(), [&](const std::string& change) {
      return std::string_view(change).substr(0, change.find('=')) == name;
    });
    if (!replaced) result.push_back(*entry);
  }
  for (const auto& change : changes) {
    if (change.find('=') != std::string::npos) result.push_back(const_cast<char*>(change.c_str()));
  }
  result.push_back(nullptr);
  return result;
}

pid_t spawn(const std::vector<std::string>& argv, int in, int out, int err, const std::string& directory,
            const std::vector<std::string>& environment) {
  std::vector<char*> pointers;
  for (const auto& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  posix_spawnattr_t attributes;  // a program expects to be ended by these, whatever this one does about it
  posix_spawnattr_init(&attributes);
  sigset_t as_usual;
  sigemptyset(&as_usual);
  sigaddset(&as_usual, SIGPIPE);
  sigaddset(&as_usual, SIGXFSZ);
  posix_spawnattr_setsigdefault(&attributes, &as_usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int code =
      posix_spawnp(&pid, argv[0].c_str(), &actions, &attributes, pointers.data(), environment_with(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) throw system_error(code, "start " + argv[0], ExitClass::host);
  return pid;
}

// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string& into) {
  char buffer[16384];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n > 0) into.append(buffer, static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

}  // namespace

SubprocessResult run_program(const std::vector<std::string>& argv, std::string_view input, std::stop_token stop,
                             const std::string& directory, const std::vector<std::string>& environment) {
  return run_program_reading(argv, memory_file(input), std::move(stop), directory, environment);
}

SubprocessResult run_program_reading(const std::vector<std::string>& argv, Fd in, std::stop_token stop,
                                     const std::string& directory, const std::vector<std::string>& environment) {
  Pipe out = make_pipe(), err = make_pipe();
  const pid_t pid = spawn(argv, in.get(), out.write.get(), err.write.get(), directory, environment);
  in.reset();
  out.write.reset();
  err.write.reset();
  const auto kill_child = [pid] { ::kill(pid, SIGKILL); };
  std::optional<std::stop_callback<decltype(kill_child)>> kill_on_stop(std::in_place, stop, kill_child);

  SubprocessResult result;
  pollfd fds[2] = {{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    // A killed program's own children may hold the pipes open: they are not waited for.
    const int ready = ::poll(fds, 2, stop.stop_possible() ? 100 : -1);
    if (stop.stop_requested() || (ready < 0 && errno != EINTR)) break;
    if (ready <= 0) continue;
    if ((fds[0].revents != 0) && !drain(fds[0].fd, result.output)) fds[0].fd = -1;
    if ((fds[1].revents != 0) && !drain(fds[1].fd, result.error)) fds[1].fd = -1;
  }
  // The callback goes while the process still has its id, so that it never kills another one.
  siginfo_t info;
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  kill_on_stop.reset();
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (stop.stop_requested()) throw Cancelled();
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

int start_self(const std::vector<std::string>& arguments, int input) {
  std::string name = "mbuild";
  std::vector<char*> argv = {name.data()};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (input >= 0) posix_spawn_file_actions_adddup2(&actions, input, 0);
  for (int fd = 0; input < 0 && fd <= 2; ++fd) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = -1;
  const int code = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) throw system_error(code, "start this program again", ExitClass::host);
  return pid;
}

std::string find_program(const std::string& name) {
  for (const auto& directory : split(host_variable("PATH").value_or("/usr/local/bin:/usr/bin:/bin"), ':')) {
    const std::string candidate = (directory.empty() ? "." : directory) + "/" + name;
    std::error_code ignored;
    if (::access(candidate.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(candidate, ignored)) {
      return std::filesystem::absolute(candidate).lexically_normal();
    }
  }
  return "";
}

}  // namespace mbuild
