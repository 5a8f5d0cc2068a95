#include "worker/sandbox/exec_trace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/strings.h"
#include "emu/accel/piece/protocol.h"
#include "worker/sandbox/process_memory.h"
#include "worker/sandbox/tracee.h"

// The filter stops each exec for the tracer (SECCOMP_RET_TRACE). The kernel tries it first: what it can't find, may not
// execute or has too many arguments ends as ever, and so does what runs as it stands. Where it answers ENOEXEC, and the
// file (or the interpreter of the script) is a foreign program, the process is made to ask its supervisor for a
// descriptor of the emulator, by a call that the filter hands over, and to execute that: it need not be in any root,
// and no path is looked up. The emulator opens the program itself, so the tracer's rights are nobody's.
//
// Arguments are written below the stack, or to memory of their own where they are many. Signals are blocked until the
// emulator runs, or all is as it was: a handler would find a call that the program never made.
//
// The tracer always waits for all processes: an exec of one thread waits for the end of the others, and that for their
// tracer.
namespace mbuild::executor {
namespace {

constexpr long k_options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                           PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
constexpr std::size_t k_most_on_stack = 32 * 1024, k_red_zone = 128;
constexpr int k_procfs = 3;

struct Event {
  pid_t pid = 0;
  int status = 0;
};

// How a call went that a process was let make.
struct Outcome {
  bool executed = false;  // it has become another program
  std::int64_t result = 0;
};

int event_of(int status) { return status >> 16; }

// False where the process does not stand still: it has been killed meanwhile.
bool resume(__ptrace_request how, pid_t pid, int signal = 0) {
  return ::ptrace(how, pid, nullptr, reinterpret_cast<void*>(static_cast<long>(signal))) == 0;
}

class Tracer {
 public:
  explicit Tracer(const std::vector<Emulator>& emulators) : emulators_(emulators) {}
  void serve();

 private:
  std::optional<Event> next();
  std::optional<int> next_of(pid_t& pid);
  std::optional<Outcome> await(pid_t& pid);
  std::optional<std::int64_t> call(pid_t& pid, Registers registers, long number,
                                   std::initializer_list<std::uint64_t> arguments);
  void handle(const Event& event);
  void handle_exec(pid_t pid);
  void emulate(pid_t& pid, Registers& registers);
  std::int64_t execute(pid_t& pid, const Registers& registers, const ExecPlan& plan, std::uint64_t argv,
                       std::uint64_t envp, int emulator);
  std::optional<std::string> path_of(pid_t pid, const Registers& registers);
  Fd of_process(pid_t pid, std::string_view name, int flags);
  bool enter(pid_t pid);
  std::optional<std::string> start_of(pid_t pid, const std::string& path);

  const std::vector<Emulator>& emulators_;
  std::deque<Event> early_;  // came while another process was waited for
};

std::optional<Event> Tracer::next() {
  if (!early_.empty()) {
    const Event event = early_.front();
    early_.pop_front();
    return event;
  }
  for (;;) {
    Event event;
    event.pid = ::waitpid(-1, &event.status, __WALL);
    if (event.pid > 0) return event;
    if (errno != EINTR) return std::nullopt;
  }
}

// A thread that executes takes the number of its process, whose other threads are gone by then.
bool was_called(pid_t pid, const Event& exec) {
  unsigned long former = 0;
  return WIFSTOPPED(exec.status) && event_of(exec.status) == PTRACE_EVENT_EXEC &&
         ::ptrace(PTRACE_GETEVENTMSG, exec.pid, nullptr, &former) == 0 && former == static_cast<unsigned long>(pid);
}

// The next stop of the process, which may have another number by then; nothing when it has ended.
std::optional<int> Tracer::next_of(pid_t& pid) {
  for (;;) {
    Event event;
    event.pid = ::waitpid(-1, &event.status, __WALL);
    if (event.pid < 0 && errno == EINTR) continue;
    if (event.pid < 0) return std::nullopt;
    if (event.pid != pid && was_called(pid, event)) pid = event.pid;
    if (event.pid != pid) {
      if (WIFSTOPPED(event.status)) early_.push_back(event);
      continue;
    }
    if (!WIFSTOPPED(event.status)) return std::nullopt;
    return event.status;
  }
}

bool is_at_exit(pid_t pid) {
  __ptrace_syscall_info info = {};
  return ::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0 && info.op == PTRACE_SYSCALL_INFO_EXIT;
}

// Whether it has been told to go on, which it has not heard of yet.
bool is_told_to_go_on(pid_t pid) {
  const Fd file(::openat(k_procfs, fmt::format("{}/status", pid).c_str(), O_RDONLY | O_CLOEXEC));
  std::string status(4096, '\0');
  const ssize_t size = file ? ::read(file.get(), status.data(), status.size()) : 0;
  status.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  for (const std::string_view name : {"SigPnd:", "ShdPnd:"}) {
    const auto at = status.find(name);
    if (at == std::string::npos) continue;
    const auto pending = std::strtoull(status.c_str() + at + name.size(), nullptr, 16);
    if ((pending >> (SIGCONT - 1) & 1) != 0) return true;
  }
  return false;
}

// Lets the process go on until the call that it is in, or is about to make, has returned. A SIGSTOP waits until then,
// since whoever is to end the stop may be waiting for this tracer; a SIGCONT, which is blocked meanwhile, undoes it.
std::optional<Outcome> Tracer::await(pid_t& pid) {
  bool stop_again = false;
  for (;;) {
    if (!resume(PTRACE_SYSCALL, pid)) return std::nullopt;
    const auto status = next_of(pid);
    if (!status) return std::nullopt;
    if (event_of(*status) == PTRACE_EVENT_EXEC) {
      if (stop_again && !is_told_to_go_on(pid)) ::kill(pid, SIGSTOP);
      return Outcome{true, 0};
    }
    if (WSTOPSIG(*status) == SIGSTOP && event_of(*status) == 0) stop_again = true;
    if (WSTOPSIG(*status) != (SIGTRAP | 0x80) || !is_at_exit(pid)) continue;
    Registers registers;
    if (!read_registers(pid, registers)) return std::nullopt;
    if (stop_again && !is_told_to_go_on(pid)) ::kill(pid, SIGSTOP);
    return Outcome{false, call_result(registers)};
  }
}

// What the kernel answers to itself where a signal came: the call is to be made again.
bool is_to_be_repeated(std::int64_t result) {
  constexpr std::int64_t k_restart[] = {-512, -513, -514, -516};  // ERESTARTSYS, NOINTR, NOHAND, _RESTARTBLOCK
  return std::ranges::find(k_restart, result) != std::end(k_restart);
}

// The result of a call that the process, which has just made another, is made to make.
std::optional<std::int64_t> Tracer::call(pid_t& pid, Registers registers, long number,
                                         std::initializer_list<std::uint64_t> arguments) {
  set_next_call(registers, number, arguments);
  for (;;) {
    if (!write_registers(pid, registers)) return std::nullopt;
    const auto outcome = await(pid);
    if (!outcome || outcome->executed) return std::nullopt;
    if (!is_to_be_repeated(outcome->result)) return outcome->result;
  }
}

Fd Tracer::of_process(pid_t pid, std::string_view name, int flags) {
  return Fd(::openat(k_procfs, fmt::format("{}/{}", pid, name).c_str(), flags | O_CLOEXEC));
}

// From now on paths mean what they mean to the process.
bool Tracer::enter(pid_t pid) {
  const Fd root = of_process(pid, "root", O_PATH | O_DIRECTORY), directory = of_process(pid, "cwd", O_PATH);
  return root && directory && ::fchdir(root.get()) == 0 && ::chroot(".") == 0 && ::fchdir(directory.get()) == 0;
}

// The path that a call of execve or execveat names, as an interpreter would get it; nothing: it can't be told.
std::optional<std::string> Tracer::path_of(pid_t pid, const Registers& registers) {
  const bool at = call_number(registers) == SYS_execveat;
  auto path = read_string(pid, call_argument(registers, at ? 1 : 0));
  if (!path || !at || path->starts_with('/')) return path;
  const int directory = static_cast<int>(call_argument(registers, 0));
  if (directory == AT_FDCWD) return path;
  // Seen from the process's root, which the tracer is in: the descriptor may be closed by the exec.
  std::array<char, PATH_MAX> target;
  const ssize_t length =
      ::readlinkat(k_procfs, fmt::format("{}/fd/{}", pid, directory).c_str(), target.data(), target.size());
  if (length <= 0) return std::nullopt;
  const std::string base(target.data(), static_cast<std::size_t>(length));
  return path->empty() ? base : join_path(base, *path);
}

std::optional<std::string> Tracer::start_of(pid_t pid, const std::string& path) {
  constexpr std::string_view k_self = "/proc/self/", k_thread = "/proc/thread-self/";
  Fd file;
  // What is not the process's own is not looked for in a procfs that shows others, the host's among them.
  if ((path + "/").find("/../") != std::string::npos) {
    file = Fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  } else if (path.starts_with(k_self)) {
    file = of_process(pid, path.substr(k_self.size()), O_PATH);
  } else if (path.starts_with(k_thread)) {
    file = of_process(pid, path.substr(k_thread.size()), O_PATH);
  } else {
    file = Fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  }
  // Only what is known to be a file is opened: other things may have effects.
  struct stat status;
  if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const Fd readable(::openat(k_procfs, fmt::format("self/fd/{}", file.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!readable) return std::nullopt;
  std::string start(256, '\0');
  const ssize_t size = ::pread(readable.get(), start.data(), start.size(), 0);
  if (size < 0) return std::nullopt;
  start.resize(static_cast<std::size_t>(size));
  return start;
}

std::optional<std::vector<std::uint64_t>> read_pointers(pid_t pid, std::uint64_t address) {
  constexpr std::size_t k_most = 4 << 20;  // more than any limit of arguments lets be
  std::vector<std::uint64_t> out;
  std::array<std::uint64_t, 512> page;
  while (address != 0 && out.size() < k_most) {
    // Up to the end of the page: what follows may not be mapped.
    const std::size_t count = std::max<std::size_t>((4096 - address % 4096) / sizeof page[0], 1);
    if (!read_memory(pid, address, page.data(), count * sizeof page[0])) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
      if (page[i] == 0) return out;
      out.push_back(page[i]);
    }
    address += count * sizeof page[0];
  }
  return out;
}

// What is written to the process: an empty string, the pointers to the arguments, and those that are new.
std::string argument_block(std::uint64_t address, const std::vector<std::string>& head,
                           const std::vector<std::uint64_t>& old) {
  const std::size_t kept = old.empty() ? 0 : old.size() - 1;
  std::vector<std::uint64_t> pointers = {0};
  std::string strings;
  const std::uint64_t first = address + (1 + head.size() + kept + 1) * sizeof(std::uint64_t);
  for (const auto& word : head) {
    pointers.push_back(first + strings.size());
    strings.append(word.c_str(), word.size() + 1);
  }
  if (kept > 0) pointers.insert(pointers.end(), old.begin() + 1, old.end());
  pointers.push_back(0);
  return std::string(reinterpret_cast<const char*>(pointers.data()), pointers.size() * sizeof(std::uint64_t)) + strings;
}

// Makes the process, whose call has just failed, execute the emulator. Returns 0, or what to answer to it (negative).
std::int64_t Tracer::execute(pid_t& pid, const Registers& registers, const ExecPlan& plan, std::uint64_t argv,
                             std::uint64_t envp, int emulator) {
  const auto old = read_pointers(pid, argv);
  if (!old) return -EFAULT;
  const std::size_t size = (argument_block(0, plan.head, *old).size() + 15) / 16 * 16;
  const Fd memory = of_process(pid, "mem", O_RDWR);
  std::uint64_t place = (stack_pointer(registers) - k_red_zone - size) / 16 * 16, mapped = 0;
  if (size > k_most_on_stack || !write_memory(memory.get(), place, argument_block(place, plan.head, *old))) {
    const auto made =
        call(pid, registers, SYS_mmap, {0, size, 3 /* read, write */, 0x22 /* private, anonymous */, ~0ULL, 0});
    if (!made || (*made < 0 && *made > -4096)) return -ENOMEM;
    place = mapped = static_cast<std::uint64_t>(*made);
    if (!write_memory(memory.get(), place, argument_block(place, plan.head, *old))) return -EFAULT;
  }
  auto next = registers;
  set_next_call(next, SYS_execveat,
                {static_cast<std::uint64_t>(emulator), place, place + sizeof(std::uint64_t), envp, AT_EMPTY_PATH});
  std::optional<Outcome> outcome;
  do {
    if (!write_registers(pid, next)) return -ESRCH;
    outcome = await(pid);
    if (!outcome) return -ESRCH;
  } while (!outcome->executed && is_to_be_repeated(outcome->result));
  if (outcome->executed) return 0;
  if (mapped != 0) call(pid, registers, SYS_munmap, {mapped, size});
  return outcome->result;
}

void Tracer::emulate(pid_t& pid, Registers& registers) {
  if (!enter(pid)) return;
  const bool at = call_number(registers) == SYS_execveat;
  const auto path = path_of(pid, registers);
  const std::uint64_t argv = call_argument(registers, at ? 2 : 1), envp = call_argument(registers, at ? 3 : 2);
  std::uint64_t first = 0;
  if (!path || (argv != 0 && !read_memory(pid, argv, &first, sizeof first))) return;
  const auto argv0 = first == 0 ? std::string() : read_string(pid, first);
  if (!argv0) return;
  const auto plan = plan_exec(emulators_, *path, *argv0, [&](const std::string& file) { return start_of(pid, file); });
  if (!plan) return;

  std::uint64_t mask = 0, all = ~0ULL;
  if (::ptrace(PTRACE_GETSIGMASK, pid, sizeof mask, &mask) < 0) return;
  ::ptrace(PTRACE_SETSIGMASK, pid, sizeof all, &all);
  const auto emulator = call(pid, registers, MBUILD_ACCEL_CALL, {MBUILD_EMULATOR_MAGIC, plan->emulator});
  std::int64_t result = -ENOEXEC;
  if (emulator && *emulator >= 0) {
    result = execute(pid, registers, *plan, argv, envp, static_cast<int>(*emulator));
    if (result != 0) call(pid, registers, SYS_close, {static_cast<std::uint64_t>(*emulator)});
  }
  if (result != 0) {
    set_call_result(registers, result);
    write_registers(pid, registers);
  }
  ::ptrace(PTRACE_SETSIGMASK, pid, sizeof mask, &mask);
}

// At an exec that the process is about to try.
void Tracer::handle_exec(pid_t pid) {
  Registers called;
  const bool known = read_registers(pid, called);
  const auto outcome = await(pid);
  if (!outcome) return;
  Registers registers;
  if (known && !outcome->executed && outcome->result == -ENOEXEC && read_registers(pid, registers)) {
    set_first_argument(registers, call_argument(called, 0));  // on some processors the result is there by now
    emulate(pid, registers);
  }
  resume(PTRACE_CONT, pid);
}

void Tracer::handle(const Event& event) {
  if (!WIFSTOPPED(event.status)) return;
  const int signal = WSTOPSIG(event.status);
  switch (event_of(event.status)) {
    case 0:
      // What a process is sent, it gets.
      resume(PTRACE_CONT, event.pid, signal == (SIGTRAP | 0x80) ? 0 : signal);
      return;
    case PTRACE_EVENT_SECCOMP:
      return handle_exec(event.pid);
    case PTRACE_EVENT_STOP:
      // One that a signal has stopped stays so until it is told to go on; a new one begins.
      resume(signal == SIGTRAP ? PTRACE_CONT : PTRACE_LISTEN, event.pid);
      return;
    default:
      resume(PTRACE_CONT, event.pid);
  }
}

void Tracer::serve() {
  while (const auto event = next()) handle(*event);
}

[[noreturn]] void tracer_main(pid_t first, const std::vector<Emulator>& emulators, int procfs, int ready) {
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NAME, "mbuild-tracer");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Neither the streams of the step nor anything else is held open by this.
  const int kept = ::fcntl(ready, F_DUPFD, 64), proc = ::fcntl(procfs, F_DUPFD, 64);
  ::dup2(proc, k_procfs);
  ::dup2(kept, k_procfs + 1);
  ::syscall(SYS_close_range, k_procfs + 2, ~0U, 0);
  const int code = ::ptrace(PTRACE_SEIZE, first, nullptr, k_options) == 0 ? 0 : errno;
  if (::write(k_procfs + 1, &code, sizeof code) != sizeof code || code != 0) ::_exit(1);
  ::close(k_procfs + 1);
  Tracer(emulators).serve();
  ::_exit(0);
}

Error tracing_error(int code) {
  return Error(ExitClass::host, fmt::format("trace the programs of an emulated step: {}", std::strerror(code)))
      .with_advice(
          "Without a handler for foreign programs mbuild has to follow each exec (ptrace); let the host run them "
          "instead, as an administrator, once: `sudo apt-get install qemu-user-static binfmt-support`.");
}

}  // namespace

std::string tracing_problem() {
  if (feature_disabled("exec-trace")) return "switched off by MBUILD_TEST_DISABLE";
  if (!knows_registers()) return "the registers of this processor are not known";
  // Of no process: ESRCH is what a host says that allows it.
  if (::ptrace(PTRACE_DETACH, 0, nullptr, nullptr) < 0 && errno != ESRCH) {
    return fmt::format("ptrace: {}", std::strerror(errno));
  }
  try {
    if (trim(read_file("/proc/sys/kernel/yama/ptrace_scope")) == "3") return "kernel.yama.ptrace_scope is 3";
  } catch (const Error&) {
    // no such restriction
  }
  return "";
}

pid_t start_tracer(pid_t first, const std::vector<Emulator>& emulators, int procfs) {
  Pipe ready = make_pipe();
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error(errno, "fork", ExitClass::host);
  if (pid == 0) tracer_main(first, emulators, procfs, ready.write.get());
  ready.write.reset();
  int code = ESRCH;
  if (::read(ready.read.get(), &code, sizeof code) != sizeof code || code != 0) {
    ::waitpid(pid, nullptr, 0);
    throw tracing_error(code);
  }
  return pid;
}

}  // namespace mbuild::executor
