#include "worker/sandbox/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <mntent.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "base/codec.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/message.h"
#include "base/pid_namespace.h"
#include "base/strings.h"
#include "worker/ids/user_namespace.h"
#include "worker/ids/userns_remedy.h"
#include "worker/sandbox/become_program.h"
#include "worker/sandbox/container_files.h"
#include "worker/sandbox/device_nodes.h"
#include "worker/sandbox/exec_request.h"
#include "worker/sandbox/exec_trace.h"
#include "worker/sandbox/held_sockets.h"
#include "worker/sandbox/landlock.h"
#include "worker/sandbox/network_interfaces.h"
#include "worker/sandbox/root.h"
#include "worker/sandbox/seccomp.h"
#include "worker/snapshot/mount_calls.h"

// The job prepares, forks the first process of the sandbox, and waits. That process enters its namespaces, builds its
// root, gives up what it should not have, and executes the program. Until then it can speak through a socket that
// closes on exec: "ready" with the seccomp listener, or the error that ended it.
//
// The user namespace of the program comes last: all other namespaces and all mounts belong to that of the inner
// process, so that no capability in the program's own is one over them, and steps that see each other's processes can't
// look into them. Only --security=insecure stays in the inner process's, which lets it mount.
namespace mbuild::executor {
namespace {

bool is_traced(const SandboxSpec& spec) { return spec.emulation && !spec.emulation->traced.empty(); }

void set_hostname(const SandboxSpec& spec) {
  const std::string name = spec.hostname.empty() ? "buildkitsandbox" : spec.hostname;
  // A container's filter may forbid it (podman's does): then the step sees the host's name.
  if (::sethostname(name.data(), name.size()) < 0 && errno != EPERM) {
    throw system_error(errno, "sethostname", ExitClass::host);
  }
}

void enter_namespaces(const SandboxSpec& spec) {
  const bool alone = spec.network.mode == graph::NetworkMode::none;
  if (::unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (alone ? CLONE_NEWNET : 0)) < 0) {
    throw system_error(errno, "unshare the namespaces of the sandbox", ExitClass::host);
  }
  if (alone) raise_loopback();
  if (spec.network.mode == graph::NetworkMode::standard && spec.network.name_space &&
      ::setns(spec.network.name_space.get(), CLONE_NEWNET) < 0) {
    throw system_error(errno, "join the network of the build", ExitClass::host);
  }
  set_hostname(spec);
}

struct Started {
  bool host_proc = false;
  Fd listener;  // seccomp
  Fd terminal;  // the side that is not the sandbox's
};

// What the number of a "ready" message says: bits.
constexpr std::uint64_t k_host_proc = 1, k_has_listener = 2;

void announce(int channel, bool host_proc, const Fd& listener, const Fd& terminal) {
  std::vector<int> fds;
  for (const auto* fd : {&listener, &terminal}) {
    if (*fd) fds.push_back(fd->get());
  }
  send_message(channel,
               {MessageType::ready, (host_proc ? k_host_proc : 0) | (listener ? k_has_listener : 0), "", "", {}}, fds);
}

// Programs may begin before their network is there where somebody can let them wait when they ask for it.
Fd take_filter(const SandboxSpec& spec, const BpfProgram& filter) {
  // Without the rest of the filter there are more ways to a socket.
  const bool may_hold = spec.network.coming && spec.security != graph::SecurityMode::insecure;
  const BpfProgram holding = may_hold && !filter.empty() ? with_held_sockets(filter) : BpfProgram();
  if (!holding.empty()) {
    if (Fd listener(install_listening_filter(holding)); listener) return listener;
  }
  wait_for_network(spec.network.coming);
  return Fd(filter.empty() ? -1 : install_filter(filter));
}

// From the user namespace on: `null` is for reading.
[[noreturn]] void finish(const SandboxSpec& spec, const SandboxUser& user, const BpfProgram& filter, int null,
                         bool host_proc, int channel) {
  set_up_process(spec, null, channel);
  // With no descriptor of the host's at hand: /proc/self/fd/N may be a part of its path.
  enter_working_directory(spec);
  set_limits(spec.ulimits);
  // The host's network without the entitlement to it: none of the build's own could be made.
  if (spec.network.mode == graph::NetworkMode::standard && !spec.network.name_space) close_abstract_sockets();
  const auto env = complete_environment(spec.env, user);
  Fd terminal = spec.container && spec.container->terminal ? take_terminal(user) : Fd();
  Fd listener = take_filter(spec, filter);
  ::close(spec.network.coming.get());  // this process's own; that of the job is its own
  announce(channel, host_proc, listener, terminal);
  terminal.reset();
  listener.reset();
  if (is_traced(spec) && !receive_message(channel)) ::_exit(127);  // until it is traced
  take_identity(spec, user);
  if (spec.container && spec.container->init) stay_as_init(channel);
  if (spec.container && spec.container->no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
    throw system_error(errno, "no-new-privileges", ExitClass::host);
  }
  execute(spec.argv, env);
}

// The pipes of the log belong to the user of the step, who may open them by name (/dev/stdout).
void give_log_pipes(const SandboxSpec& spec, const SandboxUser& user) {
  for (const int fd :
       {spec.container ? spec.container->stdin_fd.get() : -1, spec.stdout_fd.get(), spec.stderr_fd.get()}) {
    struct stat status;
    if (::fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode)) continue;
    // With one id there are owners that can't be had; the descriptors work all the same.
    [[maybe_unused]] const int result = ::fchown(fd, user.uid, user.gid);
  }
}

// What all of the program's own is made of, by the job.
struct Start {
  const SandboxSpec& spec;
  const BpfProgram& filter;
  const Fd& user_namespace;
};

// What its user may take back: it is no matter of safety.
void stay_on_one_processor() {
  const int processor = ::sched_getcpu();
  if (processor < 0 || processor >= CPU_SETSIZE) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

void become_program(const Start& start, PreparedRoot& prepared, int channel) {
  const auto& spec = start.spec;
  if (spec.one_processor) stay_on_one_processor();
  enter_namespaces(spec);
  const SystemMounts system = enter_root(spec, prepared);
  give_log_pipes(spec, prepared.user);
  if (start.user_namespace) enter_user_namespace(start.user_namespace.get());
  finish(spec, prepared.user, start.filter, system.null.get(), system.host_proc, channel);
}

// Runs `work`; the job is told why it did not become a program.
[[noreturn]] void become(int channel, const std::function<void()>& work) {
  Error failure(ExitClass::internal, "");
  try {
    work();
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error(ExitClass::internal, error.what());
  }
  try {
    send_message(channel, {MessageType::error, 0, "", encode_error(failure), {}});
  } catch (const std::exception&) {
    // the job sees the socket close and the exit status
  }
  ::_exit(127);
}

[[noreturn]] void first_process(const Start& start, PreparedRoot& prepared, int channel) {
  become(channel, [&] { become_program(start, prepared, channel); });
}

// What serves the processes of a sandbox whose execs are traced.
struct Tracing {
  const SandboxSpec& spec;
  Fd procfs;                  // shows them
  std::vector<Fd> emulators;  // each through a read-only mount of its own; none: nothing is traced
  pid_t tracer = -1;
};

Tracing prepare_tracing(const SandboxSpec& spec) {
  Tracing out{spec, {}, {}};
  if (!is_traced(spec)) return out;
  out.procfs = make_filesystem("proc", {}, 0);
  for (const auto& emulator : spec.emulation->traced) {
    const Fd mount = clone_tree(AT_FDCWD, emulator.path, false);
    set_mount_attributes(mount.get(), MOUNT_ATTR_RDONLY, false);
    // One that can be given to a process: a descriptor of a place can't.
    out.emulators.push_back(open_at(out.procfs.get(), fmt::format("self/fd/{}", mount.get()), O_RDONLY));
  }
  return out;
}

// Answers what the process asks that executes its program, as long as it says nothing itself.
void answer_until_readable(int channel, const Fd& listener, const Answers& answers) {
  for (;;) {
    pollfd wait[2] = {{channel, POLLIN, 0}, {listener.get(), POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0) continue;
    if ((wait[1].revents & POLLIN) != 0) answer_request(listener.get(), answers);
    if (wait[0].revents != 0) return;
  }
}

// What the first process says until it executes the program or ends. When it is ready and its execs are to be traced,
// it waits for that.
Started hear(int channel, pid_t pid, Tracing& tracing, const Answers& answers) {
  Started out;
  for (;;) {
    if (tracing.tracer > 0) answer_until_readable(channel, out.listener, answers);
    auto message = receive_message(channel);
    if (!message) return out;
    if (message->type == MessageType::error) {
      ::waitpid(pid, nullptr, 0);
      throw decode_error(message->body());
    }
    out.host_proc = (message->id & k_host_proc) != 0;
    auto fd = message->fds.begin();
    if ((message->id & k_has_listener) != 0 && fd != message->fds.end()) out.listener = std::move(*fd++);
    if (fd != message->fds.end()) out.terminal = std::move(*fd);
    if (tracing.emulators.empty()) continue;
    tracing.tracer = start_tracer(pid, tracing.spec.emulation->traced, tracing.procfs.get());
    send_message(channel, {MessageType::ready, 0, "", "", {}});
  }
}

// Tells whoever attends a container that its program runs.
void report(const SandboxSpec& spec, const Fd& process, Started& started) {
  if (!spec.container || !spec.container->report) return;
  const int fds[] = {process.get(), started.terminal.get()};
  send_message(spec.container->report.get(), {MessageType::ready, 0, "", "", {}},
               std::span<const int>(fds, started.terminal ? 2 : 1));
  started.terminal.reset();
}

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1000000 + static_cast<std::uint64_t>(time.tv_usec);
}

void collect(pid_t pid, SandboxResult& result) {
  int status = 0;
  rusage usage = {};
  while (::wait4(pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) throw system_error(errno, "wait for the sandbox", ExitClass::host);
  }
  // What it meant to end by is known already where it had to be helped.
  if (!WIFSIGNALED(status)) result.signal = 0;
  if (WIFSIGNALED(status) && result.signal == 0) result.signal = WTERMSIG(status);
  result.exit_code = WIFSIGNALED(status) ? 128 + result.signal : WEXITSTATUS(status);
  result.user_microseconds = microseconds(usage.ru_utime);
  result.system_microseconds = microseconds(usage.ru_stime);
  result.peak_memory = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

// ---- programs that are started in a sandbox that runs

void join_namespaces(const SandboxSpec& sandbox, const Fd& process) {
  const bool own_network = sandbox.network.mode == graph::NetworkMode::none || sandbox.network.name_space;
  const int all = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | (own_network ? CLONE_NEWNET : 0);
  if (::setns(process.get(), all) < 0) throw system_error(errno, "join the container", ExitClass::host);
}

// Answers what the processes of a program ask that was started in a sandbox, until it ends, or all of them have.
void answer_executed(Fd& listener, int until, const Tracing& tracing) {
  while (listener) {
    pollfd wait[2] = {{until, POLLIN, 0}, {listener.get(), POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0) continue;
    if ((wait[1].revents & POLLIN) != 0) {
      answer_request(listener.get(), {.emulators = tracing.emulators});
    } else if (wait[1].revents != 0) {
      listener.reset();
    }
    if (wait[0].revents != 0) return;
  }
}

void become_executed(const SandboxSpec& spec, const BpfProgram& filter, const Fd& process, bool own_ids, int channel) {
  const Fd root = open_file("/", O_RDONLY | O_DIRECTORY);
  const SandboxUser user = resolve_user_in(root.get(), spec.user, more_groups(spec));
  give_log_pipes(spec, user);
  const Fd null = open_file("/dev/null", O_RDONLY);
  if (own_ids) enter_user_namespace(process.get());
  finish(spec, user, filter, null.get(), false, channel);
}

// In a child of the job: the program is a child of this one, in the sandbox, and this one tells how it ends.
void attend_executed(const SandboxSpec& sandbox, SandboxSpec& spec, const Fd& process, bool own_ids) {
  // Nothing of what this process has is for those who see it in the sandbox.
  ::prctl(PR_SET_DUMPABLE, 0);
  Tracing tracing = prepare_tracing(spec);
  const BpfProgram filter = is_traced(spec) ? with_exec_tracing(sandbox_filter()) : sandbox_filter();
  const Fd own_numbers = open_file("/proc/self/ns/pid", O_RDONLY);
  join_namespaces(sandbox, process);
  SocketPair channel = make_socket_pair();
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error(errno, "fork", ExitClass::host);
  if (pid == 0) {
    become(channel.b.get(), [&] { become_executed(spec, filter, process, own_ids, channel.b.get()); });
  }
  const Fd program = process_descriptor(pid);
  channel.b.reset();
  // A tracer counts processes as this one does, and is not to be seen in the sandbox.
  if (::setns(own_numbers.get(), CLONE_NEWPID) < 0) throw system_error(errno, "leave the container", ExitClass::host);
  Started started = hear(channel.a.get(), pid, tracing, {.emulators = tracing.emulators});
  if (!is_traced(spec)) started.listener.reset();  // what the filter would hand over is refused
  report(spec, program, started);
  SandboxResult result;
  answer_executed(started.listener, program.get(), tracing);
  collect(pid, result);
  send_message(spec.container->report.get(),
               {MessageType::result, static_cast<std::uint64_t>(result.exit_code), "", "", {}});
  // What it left behind executes programs, too.
  spec.stdout_fd.reset();
  spec.stderr_fd.reset();
  spec.container.reset();
  answer_executed(started.listener, -1, tracing);
}

// In a child of the job, outside of the sandbox. Its first process gets a signal from here alone, the others from
// within their numbering, where one call reaches all of them at once.
void hold_still(const PauseOrder& order, const Fd& process, pid_t first) {
  ::prctl(PR_SET_DUMPABLE, 0);
  SocketPair control = make_socket_pair();
  if (::setns(process.get(), CLONE_NEWPID) < 0) throw system_error(errno, "join the container", ExitClass::host);
  const pid_t within = ::fork();
  if (within < 0) throw system_error(errno, "fork", ExitClass::host);
  if (within == 0) {
    control.a.reset();
    ::kill(-1, SIGSTOP);
    send_message(control.b.get(), {MessageType::ready, 0, "", "", {}});
    receive_message(control.b.get());  // until it hangs up
    ::kill(-1, SIGCONT);
    ::_exit(0);
  }
  control.b.reset();
  ::kill(first, SIGSTOP);
  receive_message(control.a.get());
  send_message(order.report.get(), {MessageType::result, 0, "", "", {}});
  receive_message(order.report.get());  // until it hangs up
  ::kill(first, SIGCONT);
  control.a.reset();
  ::waitpid(within, nullptr, 0);
}

// In the order of their making. The container's /proc does not know this process.
std::vector<std::string> mount_points() {
  std::vector<std::string> out;
  const Fd proc = make_filesystem("proc", {}, 0);
  const Fd mounts = open_at(proc.get(), "self/mounts", O_RDONLY);
  const std::unique_ptr<FILE, int (*)(FILE*)> table(::fdopen(::dup(mounts.get()), "r"), ::endmntent);
  while (const mntent* entry = table ? ::getmntent(table.get()) : nullptr) out.emplace_back(entry->mnt_dir);
  return out;
}

// Of the root directory what the image has at the places of the sandbox's own file systems (`all`: of all that is
// mounted), as far as these can be taken out of sight.
void leave_mounts(bool all) {
  std::vector<std::string> places = {"/proc", "/sys", "/dev"};
  try {
    if (all) places = mount_points();
  } catch (const Error&) {
    // the host refuses a /proc: volumes stay
  }
  if (::unshare(CLONE_NEWNS) < 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return;
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    if (*place != "/") ::umount2(place->c_str(), MNT_DETACH);
  }
}

// In a child of the job, which sees the sandbox's files with the ids and the capabilities of the job, and is seen by
// nobody there.
void serve_file_order(const FileOrder& order, const Fd& process) {
  ::prctl(PR_SET_DUMPABLE, 0);
  if (::setns(process.get(), CLONE_NEWNS) < 0) throw system_error(errno, "join the container", ExitClass::host);
  if (order.kind == FileOrder::Kind::read && clean_path(order.path) == "/") leave_mounts(order.alone);
  const Fd root = open_file("/", O_RDONLY | O_DIRECTORY);
  send_message(order.report.get(), {MessageType::result, 0, "", encode(serve_files(root.get(), order)), {}});
}

// Does `work`, in a child that ends then; where it fails, whoever asked is told by `report`.
[[noreturn]] void answer(const Fd& report, const std::function<void()>& work) {
  try {
    try {
      work();
    } catch (const Error& error) {
      send_message(report.get(), {MessageType::error, 0, "", encode_error(error), {}});
    }
  } catch (const std::exception&) {
    // nobody is there to be told
  }
  ::_exit(0);
}

[[noreturn]] void execute_requested(const SandboxSpec& sandbox, Message& message, const Fd& process, bool own_ids) {
  auto spec = decode<SandboxSpec>(message.body(), message.fds);
  if (!spec.container || !spec.container->report) ::_exit(1);
  wait_for_network(sandbox.network.coming);
  spec.network.mode = sandbox.network.mode;
  if (sandbox.network.name_space) spec.network.name_space = duplicate(sandbox.network.name_space.get());
  spec.ulimits = sandbox.ulimits;
  spec.single_id = sandbox.single_id;
  if (is_traced(sandbox)) spec.emulation = Emulation{{}, sandbox.emulation->traced};
  answer(spec.container->report, [&] { attend_executed(sandbox, spec, process, own_ids); });
}

// In a child of the job: only there the network of a sandbox without one can be entered.
void tell_network(const SandboxSpec& sandbox, const Fd& process, const Fd& report) {
  wait_for_network(sandbox.network.coming);
  const Fd user = open_file("/proc/self/ns/user", O_RDONLY);
  Fd network;
  if (sandbox.network.mode == graph::NetworkMode::none) {
    if (::setns(process.get(), CLONE_NEWNET) < 0) throw system_error(errno, "join the container", ExitClass::host);
    network = open_file("/proc/self/ns/net", O_RDONLY);
  } else if (sandbox.network.name_space) {
    network = duplicate(sandbox.network.name_space.get());
  }
  const int fds[] = {user.get(), network.get()};
  send_message(report.get(), {MessageType::ready, 0, "", sandbox.network.resolv_conf.value_or(""), {}},
               std::span<const int>(fds, network ? 2 : 1));
}

// Those that attended programs which have ended.
void reap_children_but(pid_t kept) {
  for (;;) {
    siginfo_t info = {};
    const int failed = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    if (failed < 0 || info.si_pid == 0 || info.si_pid == kept) return;
    ::waitpid(info.si_pid, nullptr, 0);
  }
}

// False when nobody attends any more.
bool serve_attendant(const SandboxSpec& sandbox, const Fd& process, pid_t first, bool own_ids) {
  reap_children_but(first);
  auto message = receive_message(sandbox.container->report.get());
  if (!message) return false;
  const auto& operation = message->operation;
  if (operation != k_exec && operation != k_files && operation != k_pause && operation != k_network) return true;
  const pid_t pid = ::fork();
  if (pid != 0) return true;  // it has its own descriptors; where there is no process, its socket hangs up
  try {
    if (operation == k_exec) execute_requested(sandbox, *message, process, own_ids);
    if (operation == k_pause) {
      const auto pause = decode<PauseOrder>(message->body(), message->fds);
      answer(pause.report, [&] { hold_still(pause, process, first); });
    }
    if (operation == k_network) {
      const Fd report = std::move(message->fds.at(0));
      answer(report, [&] { tell_network(sandbox, process, report); });
    }
    auto order = decode<FileOrder>(message->body(), message->fds);
    if (sandbox.single_id) order.owners = image::OwnerMode::attributes;
    answer(order.report, [&] { serve_file_order(order, process); });
  } catch (const std::exception&) {
    // what was sent is no request
  }
  ::_exit(1);
}

// Serves the requests of the filter, and those of whoever attends a container, until the first process has ended.
void serve_until_end(const SandboxSpec& spec, const Fd& process, const Answers& answers, Fd& listener,
                     SandboxResult& result) {
  const pid_t first = answers.first;
  int attendant = spec.container ? spec.container->report.get() : -1;
  for (;;) {
    pollfd wait[4] = {{process.get(), POLLIN, 0},
                      {listener.get(), POLLIN, 0},
                      {attendant, POLLIN, 0},
                      {answers.sockets->coming(), POLLIN, 0}};
    if (::poll(wait, 4, -1) < 0) continue;
    answers.sockets->take(wait[3].revents, listener.get());
    if (wait[2].revents != 0 && !serve_attendant(spec, process, first, !result.shared_ids)) attendant = -1;
    if ((wait[1].revents & POLLIN) != 0) {
      const int signal = answer_request(listener.get(), answers);
      if (signal != 0 && result.signal == 0) {
        result.signal = signal;
        ::kill(first, SIGKILL);
      }
    }
    if ((wait[1].revents & (POLLHUP | POLLERR)) != 0) listener.reset();
    if (wait[0].revents != 0) return;
  }
}

void close_mounts(PreparedRoot& prepared) {
  prepared.root.reset();
  prepared.system_mounts.clear();
  prepared.mounts.clear();
}

// Empty for a step that runs in the inner process's own.
Fd own_user_namespace(const SandboxSpec& spec) {
  if (spec.security == graph::SecurityMode::insecure) return {};
  try {
    return make_step_namespace();
  } catch (Error& error) {
    if (spec.less_isolation) return {};
    throw add_isolation_advice(std::move(error), "steps can then look into each other's processes");
  }
}

}  // namespace

SandboxResult run_sandbox(const SandboxSpec& spec, int snapshot) {
  PreparedRoot prepared = prepare_root(spec, snapshot);
  const auto describe_root = [&] {
    return describe_directory(open_file(prepared.upper, O_RDONLY | O_DIRECTORY).get());
  };
  const std::string root_before = describe_root();
  BpfProgram filter = spec.security == graph::SecurityMode::insecure ? BpfProgram() : sandbox_filter();
  if (spec.emulation && !filter.empty()) filter = with_crashes(filter);
  std::optional<Substitution> native;
  if (spec.emulation && spec.emulation->native && !filter.empty()) {
    make_directories(spec.emulation->native->directory, 0755);
    native.emplace(*spec.emulation->native, prepared.root.get(), spec.scratch);
    filter = with_machine(filter);
  }
  Tracing tracing = prepare_tracing(spec);
  EmulatorEnds emulated(tracing.emulators);
  if (is_traced(spec)) filter = with_exec_tracing(filter);
  const Fd user_namespace = own_user_namespace(spec);
  const Start start{spec, filter, user_namespace};
  SocketPair channel = make_socket_pair();
  const auto begin = [&] { first_process(start, prepared, channel.b.get()); };
  // It never executes anything itself, or has something to wait for before.
  const bool stays = (spec.container && spec.container->init) || is_traced(spec);
  const pid_t pid = stays ? fork_in_new_pid_namespace() : spawn_in_new_pid_namespace(begin);
  if (pid == 0) begin();
  const Fd process = process_descriptor(pid);
  channel.b.reset();
  close_mounts(prepared);

  SandboxResult result;
  HeldSockets sockets(spec.network.coming);
  const Answers early{.emulators = tracing.emulators, .sockets = &sockets};
  Started started = hear(channel.a.get(), pid, tracing, early);
  result.host_proc = started.host_proc;
  report(spec, process, started);
  result.shared_ids = !user_namespace && spec.security != graph::SecurityMode::insecure;
  {
    std::vector<std::jthread> forwarders;
    for (const auto& agent : prepared.agents) forwarders.push_back(serve_agent(agent));
    const Answers answers{.made = &result.made_nodes.value,
                          .native = native ? &*native : nullptr,
                          .emulated = spec.emulation ? &emulated : nullptr,
                          .emulators = tracing.emulators,
                          .sockets = &sockets,
                          .first = pid};
    serve_until_end(spec, process, answers, started.listener, result);
  }
  collect(pid, result);
  if (tracing.tracer > 0) ::waitpid(tracing.tracer, nullptr, 0);
  if (native) {
    result.programs_started = native->started();
    result.programs_native = native->native();
  }
  result.last_crashed = emulated.last();
  remove_stub_whiteouts(prepared);
  result.root_changed = describe_root() != root_before;
  return result;
}

}  // namespace mbuild::executor
