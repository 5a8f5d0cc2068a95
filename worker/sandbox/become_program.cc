#include "worker/sandbox/become_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"

namespace mbuild::executor {
namespace {

constexpr cap_value_t k_default_capabilities[] = {
    CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER,           CAP_FSETID,  CAP_KILL,       CAP_SETGID, CAP_SETUID,
    CAP_SETPCAP, CAP_SETFCAP,      CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SYS_CHROOT, CAP_MKNOD,  CAP_AUDIT_WRITE};

constexpr const char* k_default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<int> capabilities_of(const SandboxSpec& spec) {
  return spec.container ? spec.container->capabilities : default_capabilities();
}

Error identity_error(int code, std::string_view what, const SandboxUser& user) {
  return Error(ExitClass::host,
               fmt::format("{} for the user {}:{} of the step: {}", what, user.uid, user.gid, std::strerror(code)))
      .with_advice(
          "this id is not among those that mbuild has here; give this account subordinate ids: `sudo usermod "
          "--add-subuids 100000-165535 --add-subgids 100000-165535 $USER` (package uidmap must be installed)");
}

void limit_bounding_set(const std::vector<int>& kept) {
  constexpr int k_last_of_all_kernels = CAP_AUDIT_READ;
  for (int capability = 0;; ++capability) {
    const bool is_kept = std::ranges::find(kept, capability) != kept.end();
    if ((is_kept && capability <= k_last_of_all_kernels) || ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
      continue;
    if (errno == EINVAL && capability > k_last_of_all_kernels) return;  // the kernel has no more
    throw system_error(errno, "limit the capabilities of the sandbox", ExitClass::host);
  }
}

void limit_own_set(const std::vector<int>& kept) {
  const cap_t none = ::cap_init();
  const cap_t now = ::cap_get_proc();
  for (const cap_value_t capability : kept) {
    cap_flag_value_t held = CAP_CLEAR;
    ::cap_get_flag(now, capability, CAP_PERMITTED, &held);  // the host may have taken some from us
    ::cap_set_flag(none, CAP_PERMITTED, 1, &capability, held);
    ::cap_set_flag(none, CAP_EFFECTIVE, 1, &capability, held);
  }
  const int failed = ::cap_set_proc(none);
  const int code = errno;
  ::cap_free(none);
  ::cap_free(now);
  if (failed < 0) throw system_error(code, "set the capabilities of the sandbox", ExitClass::host);
}

int resource(const std::string& name) {
  static const std::map<std::string, int, std::less<>> resources = {
      {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
      {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
      {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
      {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
      {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
      {"stack", RLIMIT_STACK}};
  const auto found = resources.find(name);
  if (found == resources.end()) throw Error(ExitClass::step_failed, fmt::format("invalid ulimit type: {}", name));
  return found->second;
}

rlim_t limit_value(std::int64_t value) { return value < 0 ? RLIM_INFINITY : static_cast<rlim_t>(value); }

// 0, or why the path is no program for this process.
int check_program(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) < 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) < 0 ? errno : 0;
}

std::string lower_first(std::string text) {
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

std::string reason(int code) { return lower_first(std::strerror(code)); }

std::string variable(const std::vector<std::string>& env, std::string_view name, std::string fallback) {
  for (const auto& entry : env) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
  }
  return fallback;
}

Error with_code(int code, std::string message) {
  Error error(ExitClass::step_failed, std::move(message));
  error.code = code;
  return error;
}

std::string locate_program(const std::string& name, const std::vector<std::string>& env) {
  if (name.find('/') != std::string::npos) {
    const int code = check_program(name);
    if (code == 0) return name;
    throw with_code(code, fmt::format("exec: \"{}\": {}{}", name, code == ENOENT ? fmt::format("stat {}: ", name) : "",
                                      reason(code)));
  }
  for (const auto& directory : split(variable(env, "PATH", k_default_path), ':')) {
    std::string candidate = (directory.empty() ? "." : directory) + "/" + name;
    if (!name.empty() && check_program(candidate) == 0) return candidate;
  }
  throw with_code(ENOENT, fmt::format("exec: \"{}\": executable file not found in $PATH", name));
}

Error exec_error(const std::string& path, int code) {
  Error error = with_code(code, fmt::format("exec {}: {}", path, reason(code)));
  if (code == ENOENT)
    error.advice = "the file is there: the interpreter or loader that it names is missing in the image";
  if (code == ENOEXEC) error.advice = "the file is no program for this platform, or a script without a #! line";
  return error;
}

// From 3 on; those that are -1 are none.
void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 3;
  const auto close = [&](unsigned last) {
    if (last >= next && ::syscall(SYS_close_range, next, last, 0) < 0) {
      throw system_error(errno, "close descriptors", ExitClass::host);
    }
  };
  for (const int fd : kept) {
    if (fd < 3) continue;
    close(static_cast<unsigned>(fd) - 1);
    next = static_cast<unsigned>(fd) + 1;
  }
  close(~0U);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::vector<int> default_capabilities() {
  return {std::begin(k_default_capabilities), std::end(k_default_capabilities)};
}

void take_identity(const SandboxSpec& spec, const SandboxUser& user) {
  const bool limited = spec.security != graph::SecurityMode::insecure;
  const auto kept = capabilities_of(spec);
  if (limited) limit_bounding_set(kept);
  // With one id, setgroups is denied, and there is only the one group to be in.
  if (!spec.single_id && ::setgroups(user.groups.size(), user.groups.data()) < 0) {
    throw identity_error(errno, "setgroups", user);
  }
  if (::setresgid(user.gid, user.gid, user.gid) < 0) throw identity_error(errno, "setgid", user);
  if (::setresuid(user.uid, user.uid, user.uid) < 0) throw identity_error(errno, "setuid", user);
  if (limited && user.uid == 0) limit_own_set(kept);
}

void set_limits(const std::vector<graph::Ulimit>& limits) {
  for (const auto& wanted : limits) {
    const int kind = resource(wanted.name);
    rlimit now;
    if (::getrlimit(static_cast<__rlimit_resource>(kind), &now) < 0) throw system_error(errno, "getrlimit");
    const rlim_t hard = std::min(limit_value(wanted.hard), now.rlim_max);
    const rlimit next = {std::min(limit_value(wanted.soft), hard), hard};
    if (::setrlimit(static_cast<__rlimit_resource>(kind), &next) < 0) {
      throw system_error(errno, fmt::format("set ulimit {}", wanted.name), ExitClass::host);
    }
  }
}

std::vector<std::string> complete_environment(const std::vector<std::string>& env, const SandboxUser& user) {
  std::vector<std::string> out;
  for (const auto& entry : env) {
    const std::string name = entry.substr(0, entry.find('=') + 1);
    const auto same = std::find_if(out.begin(), out.end(), [&](const auto& other) { return other.starts_with(name); });
    if (!name.empty() && same != out.end()) {
      *same = entry;
    } else {
      out.push_back(entry);
    }
  }
  // One that is empty is as good as none, as runc has it.
  const auto home = std::ranges::find_if(out, [](const auto& entry) { return entry.starts_with("HOME="); });
  if (home == out.end()) {
    out.push_back("HOME=" + user.home);
  } else if (*home == "HOME=") {
    *home += user.home;
  }
  return out;
}

void set_up_process(const SandboxSpec& spec, int null, int channel) {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  ::umask(022);
  // Copies first: one of the three may be the source of another.
  const auto copy = [&](const Fd& stream) { return duplicate(stream ? stream.get() : null); };
  const Fd in = spec.container ? copy(spec.container->stdin_fd) : duplicate(null);
  const Fd out = copy(spec.stdout_fd), err = copy(spec.stderr_fd);
  if (::dup2(in.get(), 0) < 0 || ::dup2(out.get(), 1) < 0 || ::dup2(err.get(), 2) < 0) {
    throw system_error(errno, "set up standard input and output", ExitClass::host);
  }
  close_all_but({channel, spec.network.coming.get()});
}

Fd take_terminal(const SandboxUser& user) {
  Fd other(::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  int locked = 0;
  if (!other || ::ioctl(other.get(), TIOCSPTLCK, &locked) < 0) {
    throw system_error(errno, "make a terminal for the container", ExitClass::host);
  }
  const Fd own(::ioctl(other.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!own || ::ioctl(own.get(), TIOCSCTTY, 0) < 0) {
    throw system_error(errno, "take the terminal of the container", ExitClass::host);
  }
  // With one id there are owners that can't be had.
  [[maybe_unused]] const int result = ::fchown(own.get(), user.uid, static_cast<gid_t>(-1));
  for (const int stream : {0, 1, 2}) {
    if (::dup2(own.get(), stream) < 0) throw system_error(errno, "set up the terminal's streams", ExitClass::host);
  }
  return other;
}

namespace {

// The program's process group is that of the terminal: what is typed is for it alone.
void take_foreground() {
  ::setpgid(0, 0);
  ::signal(SIGTTOU, SIG_IGN);
  ::tcsetpgrp(0, ::getpid());
  ::signal(SIGTTOU, SIG_DFL);
}

// Waits for all that has ended; the status of the program where it is among these.
std::optional<int> reap(pid_t program) {
  std::optional<int> status;
  int ended = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &ended, WNOHANG)) > 0;) {
    if (pid == program) status = WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) : WEXITSTATUS(ended);
  }
  return status;
}

}  // namespace

void stay_as_init(int channel) {
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  const pid_t program = ::fork();
  if (program < 0) throw system_error(errno, "fork", ExitClass::host);
  if (program == 0) {
    take_foreground();
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    return;
  }
  ::close(channel);
  for (;;) {
    int signal = 0;
    if (::sigwait(&all, &signal) != 0) continue;
    if (signal != SIGCHLD) {
      ::kill(program, signal);
    } else if (const auto status = reap(program)) {
      ::_exit(*status);
    }
  }
}

void enter_working_directory(const SandboxSpec& spec) {
  const auto fail = [&](int code, const char* why) {
    return Error(ExitClass::step_failed, fmt::format("chdir to cwd (\"{}\"): {}", spec.cwd, reason(code)))
        .with_advice(why);
  };
  struct open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const Fd directory(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, spec.cwd.c_str(), &how, sizeof how)));
  if (!directory || ::fchdir(directory.get()) < 0) {
    const int code = errno;
    throw fail(code, code == ELOOP ? "a WORKDIR can't lead through links of /proc to open files and other roots" : "");
  }
  char path[PATH_MAX];
  if (::syscall(SYS_getcwd, path, sizeof path) < 0) throw fail(errno, "");
  if (path[0] != '/') throw fail(EXDEV, "the working directory is not in the root of the sandbox");
}

void execute(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  if (argv.empty()) throw Error(ExitClass::step_failed, "exec: no command");
  const std::string path = locate_program(argv[0], env);
  ::execve(path.c_str(), pointers(argv).data(), pointers(env).data());
  throw exec_error(path, errno);
}

}  // namespace mbuild::executor
