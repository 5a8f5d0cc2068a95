#include "worker/inner/inner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/feature.h"
#include "base/message.h"
#include "base/pid_namespace.h"
#include "worker/ids/userns_remedy.h"
#include "worker/inner/supervisor.h"

// The outer process has threads, so until it executes the program again the child may do nothing that takes a lock:
// another thread may have held it at the time of the clone. That goes for what a sanitizer puts around the functions of
// the C library, too, so the child makes system calls and nothing else. It executes after its ids are mapped: a process
// whose id is unmapped would lose its capabilities by execve.
//
// There is no PR_SET_PDEATHSIG: it follows the thread that cloned, which may be a short-lived one. The supervisor ends
// when the socket hangs up, which the death of this process brings in any case.
namespace mbuild::executor {
namespace {

constexpr int k_inner_socket = 3;

struct ChildPlan {
  const char* program;
  const char* path;  // of the same file, "" where it has none
  std::array<const char*, 4> argv;
  int socket;    // its end
  int go;        // readable (one byte) when the ids are mapped
  int go_write;  // the parent's end of that
  bool namespaces;
  int join;  // a user namespace, -1: none
  int born;  // where the number of the process in it is written
};

extern "C" char** environ;

// The steps' first processes have this program as their /proc/self/exe until they execute their own, and an image can
// make that be this program again, with a loader of the image's: whoever may write the file could change it then
// (CVE-2019-5736). So the inner process is executed from a read-only mount of it. Returns where that can't be made.
[[gnu::no_sanitize("thread")]] void execute_read_only(const ChildPlan& plan) {
  const long tree = ::syscall(SYS_open_tree, AT_FDCWD, plan.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) return;
  mount_attr read_only = {};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (::syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0) return;
  // The path may lead to another file by now.
  struct statx wanted = {}, found = {};
  if (::syscall(SYS_statx, AT_FDCWD, plan.program, 0, STATX_INO, &wanted) < 0 ||
      ::syscall(SYS_statx, tree, "", AT_EMPTY_PATH, STATX_INO, &found) < 0 || wanted.stx_ino != found.stx_ino ||
      wanted.stx_dev_major != found.stx_dev_major || wanted.stx_dev_minor != found.stx_dev_minor) {
    return;
  }
  ::syscall(SYS_execveat, tree, "", plan.argv.data(), environ, AT_EMPTY_PATH);
}

[[noreturn, gnu::no_sanitize("thread")]] void child_main(const ChildPlan& plan) {
  const auto require = [](long result, int status) __attribute__((no_sanitize("thread"))) {
    if (result < 0) ::syscall(SYS_exit_group, status);
  };
  ::syscall(SYS_close, plan.go_write);
  char go = 0;
  if (::syscall(SYS_read, plan.go, &go, 1) != 1) ::syscall(SYS_exit_group, 71);
  // ids that are mapped to 0 are 0 already; a map of all ids may lack this process's real ones
  if (plan.namespaces) {
    require(::syscall(SYS_setresgid, 0, 0, 0), 72);
    require(::syscall(SYS_setresuid, 0, 0, 0), 72);
  }
  if (plan.socket == k_inner_socket) {
    require(::syscall(SYS_fcntl, plan.socket, F_SETFD, 0), 73);
  } else {
    require(::syscall(SYS_dup3, plan.socket, k_inner_socket, 0), 73);
  }
  ::syscall(SYS_close_range, k_inner_socket + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  const std::uint64_t no_signal = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signal, nullptr, sizeof no_signal);
  if (plan.path[0] != '\0') execute_read_only(plan);
  ::syscall(SYS_execve, plan.program, plan.argv.data(), environ);
  ::syscall(SYS_exit_group, 74);
  __builtin_unreachable();
}

// A user namespace can be joined only before the others are made in it, and a pid namespace has the children of whoever
// made it: so it is a child that joins, and its child, which becomes that of this process, that is the inner process.
[[noreturn, gnu::no_sanitize("thread")]] void join_main(const ChildPlan& plan) {
  if (::syscall(SYS_setns, plan.join, CLONE_NEWUSER) < 0) ::syscall(SYS_exit_group, 75);
  const long pid =
      ::syscall(SYS_clone, CLONE_NEWNS | CLONE_NEWPID | CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) child_main(plan);
  if (pid < 0) ::syscall(SYS_exit_group, 76);
  const auto number = static_cast<pid_t>(pid);
  ::syscall(SYS_write, plan.born, &number, sizeof number);
  ::syscall(SYS_exit_group, 0);
  __builtin_unreachable();
}

pid_t clone_child(int flags, int* pidfd) {
  // glibc's fork can't make namespaces; the child needs nothing of what its handlers prepare.
  return static_cast<pid_t>(::syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, nullptr, pidfd, nullptr, nullptr));
}

int wait_for_end(int pidfd) {
  siginfo_t info = {};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED) < 0 && errno == EINTR) {
  }
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

Error namespace_error(int code) {
  return system_error(code, "create user, mount and pid namespaces", ExitClass::host).with_advice(userns_remedy());
}

// The inner process in a user namespace that is there.
Fd clone_in_namespace(const ChildPlan& plan, const Fd& born) {
  int middle = -1;
  const pid_t pid = clone_child(0, &middle);
  if (pid == 0) join_main(plan);
  if (pid < 0) throw namespace_error(errno);
  const Fd joined(middle);
  if (wait_for_end(joined.get()) != 0) {
    throw Error(ExitClass::host, "the user namespace of the network can't be joined").with_advice(userns_remedy());
  }
  pid_t number = 0;
  if (::read(born.get(), &number, sizeof number) != sizeof number) throw namespace_error(EIO);
  return process_descriptor(number);
}

Error start_error(int pidfd) {
  const int status = wait_for_end(pidfd);
  const char* reason = status == 72   ? "its ids could not be set"
                       : status == 74 ? "the program could not be executed again"
                                      : "it ended before it was ready";
  return Error(ExitClass::host, fmt::format("the inner process did not start: {} (status {})", reason, status))
      .with_advice("run `mbuild doctor` to see what this host lacks");
}

// Where a link of /proc to a file leads; "" when nowhere.
std::string path_of_file(const std::string& link) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  return length < 0 ? "" : std::string(target.data(), static_cast<std::size_t>(length));
}

// Readable when stop is requested.
class StopEvent {
 public:
  explicit StopEvent(std::stop_token stop) : event_(make_event()), callback_(std::move(stop), Wake{event_.get()}) {}
  int get() const { return event_.get(); }

 private:
  struct Wake {
    int fd;
    void operator()() const {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
    }
  };
  static Fd make_event() {
    Fd event(::eventfd(0, EFD_CLOEXEC));
    if (!event) throw system_error(errno, "eventfd", ExitClass::host);
    return event;
  }

  Fd event_;
  std::stop_callback<Wake> callback_;
};

}  // namespace

std::unique_ptr<Inner> Inner::start(const InnerOptions& options) {
  const bool user_namespace = options.namespaces && options.user_namespace;
  if (user_namespace && feature_disabled("userns")) throw namespace_error(EPERM);
  SocketPair sockets = make_socket_pair();
  Pipe go = make_pipe(), born;
  const bool joins = user_namespace && options.join >= 0;
  if (joins) born = make_pipe();
  const std::string socket_text = std::to_string(k_inner_socket);
  const std::string path = path_of_file(options.program);
  const ChildPlan plan{.program = options.program.c_str(),
                       .path = path.c_str(),
                       .argv = {"mbuild", k_inner_argument, socket_text.c_str(), nullptr},
                       .socket = sockets.b.get(),
                       .go = go.read.get(),
                       .go_write = go.write.get(),
                       .namespaces = options.namespaces,
                       .join = options.join,
                       .born = born.write.get()};
  int raw_pidfd = -1;
  pid_t pid = 0;
  if (joins) {
    raw_pidfd = clone_in_namespace(plan, born.read).release();
  } else {
    const int flags = options.namespaces ? CLONE_NEWNS | CLONE_NEWPID | (user_namespace ? CLONE_NEWUSER : 0) : 0;
    pid = clone_child(flags, &raw_pidfd);
    if (pid == 0) child_main(plan);
    if (pid < 0) throw namespace_error(errno);
  }
  std::unique_ptr<Inner> inner(new Inner(std::move(sockets.a), Fd(raw_pidfd)));
  sockets.b.reset();
  go.read.reset();
  if (user_namespace && !joins) write_id_map(options.map, pid);
  write_all(go.write.get(), "g");
  auto answer = receive_message(inner->control_.get());
  if (!answer) {
    Error error = start_error(inner->process_.get());
    inner->process_.reset();
    throw error;
  }
  if (answer->type == MessageType::error) throw decode_error(answer->body());
  return inner;
}

Inner::~Inner() {
  if (!process_) return;
  control_.reset();
  kill_process(process_.get());
  wait_for_end(process_.get());
}

std::string Inner::request(char type, std::string_view operation, std::string payload, std::span<const int> fds,
                           std::stop_token stop) {
  if (stop.stop_requested()) throw Cancelled();
  const auto gone = [&] {
    return Error(ExitClass::host, fmt::format("the inner process ended while it ran '{}'", operation))
        .with_advice("it may have been killed for lack of memory: see `dmesg`");
  };
  SocketPair reply = make_socket_pair();
  std::vector<int> all = {reply.b.get()};
  all.insert(all.end(), fds.begin(), fds.end());
  Message message{static_cast<MessageType>(type), next_id_++, std::string(operation), std::move(payload), {}};
  const StopEvent stopped(stop);  // before there is a job that nobody could stop
  if (!send_message(control_.get(), message, all)) throw gone();
  reply.b.reset();

  pollfd wait[2] = {{reply.a.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}};
  bool cancelled = false;
  for (;;) {
    if (::poll(wait, 2, -1) < 0) continue;
    if ((wait[1].revents & POLLIN) != 0) {
      cancelled = true;
      wait[1].fd = -1;
      cancel(message.id);
    }
    if (wait[0].revents == 0) continue;
    auto answer = receive_message(reply.a.get());
    if (cancelled && answer) continue;  // until the supervisor has reaped the job
    if (cancelled) throw Cancelled();
    if (!answer) throw gone();
    if (answer->type == MessageType::error) throw decode_error(answer->body());
    return std::string(answer->body());
  }
}

void Inner::cancel(std::uint64_t id) {
  try {
    send_message(control_.get(), {MessageType::cancel, id, "", "", {}});
  } catch (const Error&) {  // no memory, say: then all jobs end
    kill_process(process_.get());
  }
}

std::string Inner::call(std::string_view operation, std::string payload, std::span<const int> fds,
                        std::stop_token stop) {
  return request(static_cast<char>(MessageType::request), operation, std::move(payload), fds, std::move(stop));
}

void Inner::register_binfmt(const std::vector<std::string>& lines) {
  std::string payload;
  for (const auto& line : lines) payload += line + "\n";
  request(static_cast<char>(MessageType::binfmt), "binfmt", std::move(payload), {}, {});
}

}  // namespace mbuild::executor
