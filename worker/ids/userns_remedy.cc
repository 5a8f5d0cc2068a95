#include "worker/ids/userns_remedy.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/fd.h"
#include "base/feature.h"
#include "worker/ids/container.h"

namespace mbuild::executor {
namespace {

// The first character of a sysctl's value.
std::optional<char> sysctl(const std::string& name) {
  const std::string path = "/proc/sys/" + name;
  if (!path_exists(path)) return std::nullopt;
  try {
    const std::string value = read_file(path);
    return value.empty() ? std::nullopt : std::optional(value[0]);
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool is_filtered() {
  try {
    return read_file("/proc/self/status").find("\nSeccomp:\t2") != std::string::npos;
  } catch (const Error&) {
    return true;
  }
}

// A child that does what the inner process does first; it makes system calls only.
bool can_make_namespaces() {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool made = ::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) == 0 &&
                      ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    ::_exit(made ? 0 : 1);
  }
  int status = 0;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

bool may_have_namespaces() {
  if (feature_disabled("userns") || sysctl("user/max_user_namespaces") == '0') return false;
  const bool doubtful = is_filtered() || sysctl("kernel/unprivileged_userns_clone") == '0' ||
                        sysctl("kernel/apparmor_restrict_unprivileged_userns") == '1';
  return !doubtful || can_make_namespaces();
}

std::string userns_remedy() {
  if (sysctl("user/max_user_namespaces") == '0') return "sudo sysctl -w user.max_user_namespaces=15000";
  if (sysctl("kernel/unprivileged_userns_clone") == '0') return "sudo sysctl -w kernel.unprivileged_userns_clone=1";
  if (sysctl("kernel/apparmor_restrict_unprivileged_userns") == '1') {
    return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (const auto kind = find_container()) return container_advice(*kind);
  return "run `mbuild doctor` to see what this host lacks";
}

Error add_isolation_advice(Error error, std::string_view consequence) {
  const std::string remedy = error.advice.empty() ? k_proc_remedy : error.advice;
  return std::move(error).with_advice(fmt::format("{}; or build with --allow-less-isolation: {}", remedy, consequence));
}

}  // namespace mbuild::executor
