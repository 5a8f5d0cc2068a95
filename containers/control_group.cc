#include "containers/control_group.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/try_read_file.h"
#include "containers/exec.h"

namespace mbuild::containers {
namespace {

constexpr const char* k_mount = "/sys/fs/cgroup";

bool put(const std::string& path, const std::string& text) {
  try {
    write_all(open_file(path, O_WRONLY).get(), text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// The group of this process, "" where there is no v2.
std::string own_group() {
  if (!path_exists(std::string(k_mount) + "/cgroup.controllers")) return "";
  for (const auto& line : split(try_read_file("/proc/self/cgroup"), '\n')) {
    if (line.starts_with("0::")) return clean_path(k_mount + line.substr(3));
  }
  return "";
}

std::vector<std::string> wanted_controllers(const Limits& limits) {
  std::vector<std::string> out;
  if (limits.memory > 0) out.push_back("memory");
  if (limits.cpu_thousandths > 0) out.push_back("cpu");
  if (limits.pids > 0) out.push_back("pids");
  return out;
}

bool gives(const std::string& group, const std::vector<std::string>& wanted) {
  const auto given = split(trim(try_read_file(group + "/cgroup.subtree_control")), ' ');
  return std::ranges::all_of(wanted, [&](const auto& name) { return std::ranges::find(given, name) != given.end(); });
}

// A group of the host in which one with these controllers can be made, and that this process may be moved within: the
// nearest one above it.
std::string place_for(const Limits& limits) {
  const auto wanted = wanted_controllers(limits);
  for (std::string at = own_group(); at.size() >= std::string_view(k_mount).size(); at = dir_name(at)) {
    if (::access((at + "/cgroup.procs").c_str(), W_OK) < 0) break;
    if (gives(at, wanted) && ::access(at.c_str(), W_OK) == 0) return at;
  }
  return "";
}

}  // namespace

std::string unkept_limits(const Limits& limits) {
  auto wanted = wanted_controllers(limits);
  if (wanted.empty() || !place_for(limits).empty()) return "";
  std::vector<std::string> flags;
  if (limits.memory > 0) flags.emplace_back("--memory");
  if (limits.cpu_thousandths > 0) flags.emplace_back("--cpus");
  if (flags.empty()) return "";  // for processes there is an rlimit
  return fmt::format(
      "{} {} not kept: mbuild may not make a control group (v2) with that controller here. Where systemd is: "
      "systemd-run --user --scope -p Delegate=yes mbuild run ...",
      join(flags, " and "), flags.size() == 1 ? "is" : "are");
}

bool ControlGroup::enter(const Limits& limits, const std::string& id) {
  if (wanted_controllers(limits).empty()) return false;
  const auto place = place_for(limits);
  if (place.empty()) return false;
  before_ = own_group();
  const std::string group = fmt::format("{}/mbuild-{}", place, id.substr(0, 12));
  // One of that name was left by a process of this container that was killed.
  if (::mkdir(group.c_str(), 0755) < 0 && errno != EEXIST) return false;
  group_ = group;
  limits_ = limits;
  constexpr std::uint64_t k_period = 100'000;  // microseconds
  if (limits.memory > 0) put(group_ + "/memory.max", std::to_string(limits.memory));
  if (limits.memory > 0) put(group_ + "/memory.swap.max", "0");
  if (limits.cpu_thousandths > 0) {
    put(group_ + "/cpu.max", fmt::format("{} {}", limits.cpu_thousandths * k_period / 1000, k_period));
  }
  return put(group_ + "/cgroup.procs", std::to_string(::getpid()));
}

bool ControlGroup::take_in(const Fd& process) {
  return put(group_ + "/cgroup.procs", std::to_string(number_of(process)));
}

void ControlGroup::now_started() {
  if (group_.empty() || limits_.pids == 0) return;
  // Those of this program are not the container's.
  const auto text = try_read_file(group_ + "/pids.current");
  std::uint64_t now = 1;
  std::from_chars(text.data(), text.data() + text.size(), now);
  put(group_ + "/pids.max", std::to_string(limits_.pids + std::max<std::uint64_t>(now, 1) - 1));
}

ControlGroup::~ControlGroup() {
  if (group_.empty()) return;
  put(before_ + "/cgroup.procs", std::to_string(::getpid()));
  for (int i = 0; i < 50 && ::rmdir(group_.c_str()) < 0; ++i) ::usleep(10'000);
}

}  // namespace mbuild::containers
