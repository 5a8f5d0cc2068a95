#include "executor/pid_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild::executor {

pid_t fork_in_new_pid_namespace() {
  Fd own = open_file("/proc/self/ns/pid", O_RDONLY);
  if (::unshare(CLONE_NEWPID) < 0) throw system_error(errno, "unshare the pid namespace", ExitClass::host);
  const pid_t pid = ::fork();
  if (pid == 0) {
    own.reset();
    return 0;
  }
  const int code = errno;
  if (::setns(own.get(), CLONE_NEWPID) < 0) throw system_error(errno, "return to the pid namespace", ExitClass::host);
  if (pid < 0) throw system_error(code, "fork", ExitClass::host);
  return pid;
}

// Through syscall: the header of glibc 2.36 declares these without C linkage.
Fd process_descriptor(pid_t child) {
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!fd) throw system_error(errno, "pidfd_open", ExitClass::host);
  return fd;
}

void kill_process(int descriptor) { ::syscall(SYS_pidfd_send_signal, descriptor, SIGKILL, nullptr, 0); }

}  // namespace mbuild::executor
