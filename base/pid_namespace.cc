#include "base/pid_namespace.h"

#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild::executor {

namespace {

constexpr std::size_t k_spawn_stack = 512 * 1024;

// ThreadSanitizer loses its bearings where two processes work in one memory.
#ifdef __SANITIZE_THREAD__
constexpr bool k_memory_is_watched = true;
#else
constexpr bool k_memory_is_watched = false;
#endif

pid_t in_new_pid_namespace(const std::function<pid_t()>& make_child) {
  Fd own = open_file("/proc/self/ns/pid", O_RDONLY);
  if (::unshare(CLONE_NEWPID) < 0) throw system_error(errno, "unshare the pid namespace", ExitClass::host);
  const pid_t pid = make_child();
  if (pid == 0) return 0;
  const int code = errno;
  if (::setns(own.get(), CLONE_NEWPID) < 0) {
    Error error = system_error(errno, "return to the pid namespace", ExitClass::host);
    if (pid > 0) {  // nobody would know of it
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    throw error;
  }
  if (pid < 0) throw system_error(code, "fork", ExitClass::host);
  return pid;
}

}  // namespace

pid_t fork_in_new_pid_namespace() { return in_new_pid_namespace(::fork); }

pid_t spawn_in_new_pid_namespace(const std::function<void()>& body) {
  // On the caller's own stack, below what is in use: sanitizers know no other for this thread.
  alignas(16) std::array<char, k_spawn_stack> stack;
  const auto run = [](void* argument) {
    (*static_cast<const std::function<void()>*>(argument))();
    return 127;
  };
  const pid_t pid = in_new_pid_namespace([&] {
    if (k_memory_is_watched) {
      const pid_t forked = ::fork();
      if (forked == 0) ::_exit(run(const_cast<std::function<void()>*>(&body)));
      return forked;
    }
    return ::clone(run, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD,
                   const_cast<std::function<void()>*>(&body));
  });
  // Functions of the child that never returned have left marks there.
  ASAN_UNPOISON_MEMORY_REGION(stack.data(), stack.size());
  ::prctl(PR_SET_DUMPABLE, 1);  // the child's change of identity took it from the memory that both have
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
