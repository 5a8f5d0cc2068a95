#include "worker/ids/user_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/feature.h"
#include "base/pid_namespace.h"
#include "base/strings.h"
#include "worker/ids/userns_remedy.h"

// A namespace begins with a process, and its map is written from outside while that process lives. So a child is cloned
// that does nothing: it borrows this process's memory, so that it costs no page tables, and sleeps until it is killed.
//
// A job is in a pid namespace whose numbers the /proc at hand does not know; what the child's number is there, the
// kernel says in the fdinfo of its pidfd.
namespace mbuild::executor {
namespace {

constexpr std::size_t k_sleeper_stack = 16 * 1024;

// Runs in the parent's memory, with its thread-local storage: it makes system calls and nothing else.
[[gnu::no_sanitize("thread", "address", "undefined")]] int sleep_until_killed(void*) {
  for (;;) ::syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
}

class Sleeper {
 public:
  Sleeper() {
    int descriptor = -1;
    pid_ = ::clone(sleep_until_killed, stack_.data() + stack_.size(), CLONE_NEWUSER | CLONE_VM | CLONE_PIDFD | SIGCHLD,
                   nullptr, &descriptor);
    if (pid_ < 0) throw system_error(errno, "make a user namespace", ExitClass::host).with_advice(userns_remedy());
    process_ = Fd(descriptor);
  }
  ~Sleeper() {
    kill_process(process_.get());
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Its directory in /proc.
  Fd directory() const {
    constexpr std::string_view k_pid = "Pid:\t";
    for (const auto& line : split(read_file(fmt::format("/proc/self/fdinfo/{}", process_.get())), '\n')) {
      if (line.starts_with(k_pid)) return open_file("/proc/" + line.substr(k_pid.size()), O_PATH | O_DIRECTORY);
    }
    throw Error(ExitClass::host, "make a user namespace: /proc does not show the processes of this one");
  }

 private:
  alignas(16) std::array<char, k_sleeper_stack> stack_;
  pid_t pid_ = -1;
  Fd process_;
};

void write_map(const Fd& process, const char* name, const std::vector<IdRange>& ranges) {
  const std::string text = id_map_text(ranges);
  const Fd file = open_at(process.get(), name, O_WRONLY);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw system_error(errno, fmt::format("make a user namespace: write its {}", name), ExitClass::host)
        .with_advice(userns_remedy());
  }
}

// The ids of images in this process's own map, each as itself. A range must lie within one of the parent's: they are
// not joined.
std::vector<IdRange> image_ids(const char* file) {
  constexpr std::pair<std::uint64_t, std::uint64_t> k_images[] = {{0, k_host_ids},
                                                                  {image::k_first_high_image_id, UINT32_MAX}};
  std::vector<IdRange> out;
  for (const auto& range : parse_id_map(read_file(file))) {
    const std::uint64_t range_end = std::uint64_t{range.inside} + range.count;
    for (const auto& [first, end] : k_images) {
      const auto from = static_cast<std::uint32_t>(std::max<std::uint64_t>(first, range.inside));
      const auto until = std::min(end, range_end);
      if (until > from) out.push_back({from, from, static_cast<std::uint32_t>(until - from)});
    }
  }
  return out;
}

// The id that is the host's 0, where the host's ids are in the upper half.
std::uint32_t host_root(const char* file) {
  for (const auto& range : parse_id_map(read_file(file))) {
    if (range.inside == k_host_ids && range.outside == 0) return range.inside;
  }
  return 0;
}

}  // namespace

Fd make_user_namespace(const std::vector<IdRange>& uids, const std::vector<IdRange>& gids) {
  const Sleeper sleeper;
  const Fd process = sleeper.directory();
  write_map(process, "uid_map", uids);
  write_map(process, "gid_map", gids);
  return open_at(process.get(), "ns/user", O_RDONLY);
}

namespace {

struct StepMaps {
  std::vector<IdRange> uids = image_ids("/proc/self/uid_map"), gids = image_ids("/proc/self/gid_map");
};

const StepMaps& step_maps() {
  static const StepMaps maps;
  return maps;
}

}  // namespace

void prepare_step_namespaces() { step_maps(); }

Fd make_step_namespace() {
  if (feature_disabled("step-userns")) throw Error(ExitClass::host, "make a user namespace: switched off");
  return make_user_namespace(step_maps().uids, step_maps().gids);
}

void enter_user_namespace(int descriptor) {
  if (::setns(descriptor, CLONE_NEWUSER) < 0) throw system_error(errno, "enter a user namespace", ExitClass::host);
}

CallerIds caller_ids() { return {host_root("/proc/self/uid_map"), host_root("/proc/self/gid_map")}; }

void act_as_caller() {
  const CallerIds caller = caller_ids();
  if (caller.uid == 0 && caller.gid == 0) return;
  constexpr auto k_keep = static_cast<uid_t>(-1);
  // The calls of the C library would change every thread.
  const bool changed = ::syscall(SYS_setresgid, k_keep, caller.gid, k_keep) == 0 &&
                       ::syscall(SYS_setresuid, k_keep, caller.uid, k_keep) == 0;
  if (!changed) throw system_error(errno, "take the ids of the caller", ExitClass::host);
  // That took the effective capabilities; the permitted ones are still there, since the real id is.
  const cap_t all = ::cap_get_proc();
  for (cap_value_t capability = 0; capability <= ::cap_max_bits(); ++capability) {
    cap_flag_value_t held = CAP_CLEAR;
    if (::cap_get_flag(all, capability, CAP_PERMITTED, &held) < 0) break;
    ::cap_set_flag(all, CAP_EFFECTIVE, 1, &capability, held);
  }
  const int failed = ::cap_set_proc(all);
  const int code = errno;
  ::cap_free(all);
  if (failed < 0) throw system_error(code, "keep the capabilities of the caller", ExitClass::host);
  ::prctl(PR_SET_DUMPABLE, 1);
}

}  // namespace mbuild::executor
