#include "worker/inner/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/mount.h>

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

#include "base/error.h"
#include "base/heap.h"
#include "base/message.h"
#include "base/pid_namespace.h"
#include "emu/binfmt.h"
#include "platforms/platform.h"
#include "worker/ids/user_namespace.h"
#include "worker/ids/userns_remedy.h"
#include "worker/inner/binfmt.h"
#include "worker/sandbox/seccomp.h"

// The supervisor is pid 1 of its namespace and has one thread: it may fork at any time, and what it forks is ordinary
// code. It holds what must outlive single jobs (the binfmt_misc instance) and does nothing that could fail or block.
//
// A job is pid 1 of a pid namespace of its own. One SIGKILL to it ends all that it started, whatever ids, sessions or
// parents those processes have given themselves; its end is reported (by closing the reply socket, of which the
// supervisor keeps a copy) after the kernel has reaped them all.
namespace mbuild::executor {
namespace {

std::map<std::string, Job, std::less<>>& registry() {
  static std::map<std::string, Job, std::less<>> jobs;
  return jobs;
}

// Without namespaces the inner process is an ordinary one, and a job is ended by its parent's death.
bool has_namespaces() { return ::getpid() == 1; }

struct RunningJob {
  Fd process;  // pidfd
  Fd reply;
  std::uint64_t id = 0;
  std::string operation;
  bool cancelled = false;
};

struct Supervisor {
  Fd control;
  Fd binfmt;
  std::vector<RunningJob> jobs;
  bool namespaces = true;
};

void reply_error(int reply, const Error& error) {
  try {
    send_message(reply, {MessageType::error, 0, "", encode_error(error), {}});
  } catch (const std::exception&) {
    // the caller sees the socket hang up
  }
}

// Runs `work` and sends its result, or what it threw.
template <typename Work>
void answer(int reply, Work&& work) {
  try {
    send_message(reply, {MessageType::result, 0, "", work(), {}});
  } catch (const Error& error) {
    reply_error(reply, error);
  } catch (const std::exception& error) {
    reply_error(reply, Error(ExitClass::internal, error.what()));
  }
}

void give_up_mounting() {
  const cap_t set = ::cap_get_proc();
  const cap_value_t admin = CAP_SYS_ADMIN;
  ::cap_set_flag(set, CAP_EFFECTIVE, 1, &admin, CAP_CLEAR);
  const int failed = ::cap_set_proc(set);
  ::cap_free(set);
  if (failed < 0) throw Error(ExitClass::host, "mounts could not be given up");
}

// What a job mounts ends with it. Without a mount namespace of its own it mounts nothing, whoever it is.
void take_own_mounts(bool namespaces) {
  if (::unshare(CLONE_NEWNS) < 0) {
    if (namespaces) throw system_error(errno, "unshare the mount namespace", ExitClass::host);
    return give_up_mounting();
  }
  if (!namespaces && ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) give_up_mounting();
}

[[noreturn]] void job_main(Supervisor& supervisor, Message& request, Fd reply) {
  supervisor.control.reset();
  supervisor.binfmt.reset();
  supervisor.jobs.clear();
  answer(reply.get(), [&] {
    const auto job = registry().find(request.operation);
    if (job == registry().end()) {
      throw Error(ExitClass::internal, fmt::format("no operation '{}' in the inner process", request.operation));
    }
    if (!request.large.bytes().empty()) use_huge_pages();
    ::prctl(PR_SET_NAME, ("mb-" + request.operation).c_str());
    take_own_mounts(supervisor.namespaces);
    return job->second(request.body(), request.fds);
  });
  ::_exit(0);
}

void start_job(Supervisor& supervisor, Message request) {
  Fd reply = std::move(request.fds.front());
  request.fds.erase(request.fds.begin());
  pid_t pid;
  try {
    pid = supervisor.namespaces ? fork_in_new_pid_namespace() : ::fork();
    if (pid < 0) throw system_error(errno, "fork", ExitClass::host);
    if (pid == 0 && !supervisor.namespaces) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  } catch (const Error& error) {
    reply_error(reply.get(), error);
    return;
  }
  if (pid == 0) job_main(supervisor, request, std::move(reply));
  Fd process = process_descriptor(pid);
  supervisor.jobs.push_back({std::move(process), std::move(reply), request.id, request.operation, false});
}

void handle_binfmt(Supervisor& supervisor, const Message& request) {
  answer(request.fds.front().get(), [&] {
    if (!supervisor.binfmt) supervisor.binfmt = emu::open_private_binfmt();
    write_binfmt_lines(supervisor.binfmt.get(), request.body());
    return std::string();
  });
}

void cancel(Supervisor& supervisor, std::uint64_t id) {
  for (auto& job : supervisor.jobs) {
    if (job.id != id) continue;
    job.cancelled = true;
    kill_process(job.process.get());
  }
}

// After the job's end. One that ended without a reply left the caller waiting: it is told why.
void reap(RunningJob& job) {
  siginfo_t info = {};
  ::waitid(P_PIDFD, static_cast<id_t>(job.process.get()), &info, WEXITED);
  const bool clean = info.si_code == CLD_EXITED && info.si_status == 0;
  if (clean || job.cancelled) return;
  const std::string how = info.si_code == CLD_EXITED ? fmt::format("ended with status {}", info.si_status)
                                                     : fmt::format("was killed by signal {} ({})", info.si_status,
                                                                   ::strsignal(info.si_status));
  Error error(ExitClass::host, fmt::format("the process that ran '{}' {}", job.operation, how));
  if (info.si_status == SIGKILL) error.advice = "it may have been killed for lack of memory: see `dmesg`";
  reply_error(job.reply.get(), error);
}

// False when the outer process has gone.
bool handle_message(Supervisor& supervisor) {
  auto message = receive_message(supervisor.control.get());
  if (!message) return false;
  if (message->type == MessageType::cancel) {
    cancel(supervisor, message->id);
  } else if (message->fds.empty()) {
    return true;  // no one to answer to
  } else if (message->type == MessageType::binfmt) {
    handle_binfmt(supervisor, *message);
  } else {
    start_job(supervisor, std::move(*message));
  }
  return true;
}

void serve(Supervisor& supervisor) {
  for (;;) {
    std::vector<pollfd> wait = {{supervisor.control.get(), POLLIN, 0}};
    for (const auto& job : supervisor.jobs) wait.push_back({job.process.get(), POLLIN, 0});
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    for (std::size_t i = wait.size() - 1; i > 0; --i) {
      if (wait[i].revents == 0) continue;
      reap(supervisor.jobs[i - 1]);
      supervisor.jobs.erase(supervisor.jobs.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
    if (wait[0].revents != 0 && !handle_message(supervisor)) return;
  }
}

void prepare_process(bool namespaces) {
  ::prctl(PR_SET_NAME, "mbuild-inner");
  ::setsid();
  ::umask(022);
  // Groups of the user that mean nothing here; denied with a map of one id, where they give nothing either.
  ::setgroups(0, nullptr);
  const Fd null = open_file("/dev/null", O_RDWR);
  ::dup2(null.get(), 0);
  ::dup2(2, 1);
  if (namespaces && ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
    throw system_error(errno, "make the mounts of the inner process private", ExitClass::host)
        .with_advice(userns_remedy());
  }
  // Hides where in the host's tree of control groups this is; a kernel without the namespace has no such tree.
  ::unshare(CLONE_NEWCGROUP);
  prepare_filter_cache();
  if (namespaces) prepare_step_namespaces();
  platforms::all_descriptors();  // read once, instead of in every job
}

}  // namespace

void register_job(std::string name, Job job) { registry().insert_or_assign(std::move(name), std::move(job)); }

int inner_main(int socket_fd) {
  Supervisor supervisor;
  supervisor.control = Fd(socket_fd);
  ::fcntl(socket_fd, F_SETFD, FD_CLOEXEC);
  try {
    supervisor.namespaces = has_namespaces();
    prepare_process(supervisor.namespaces);
    send_message(socket_fd, {MessageType::ready, 0, "", "", {}});
    serve(supervisor);
    return 0;
  } catch (const Error& error) {
    reply_error(socket_fd, error);
  } catch (const std::exception& error) {
    reply_error(socket_fd, Error(ExitClass::internal, error.what()));
  }
  return 70;
}

}  // namespace mbuild::executor
