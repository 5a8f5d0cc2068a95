#include "worker/sandbox/system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/feature.h"
#include "base/strings.h"
#include "emu/accel/piece/protocol.h"
#include "files/root_path.h"
#include "worker/ids/userns_remedy.h"
#include "worker/snapshot/mount_calls.h"

// Parts of a detached tree can be mounted over from Linux 6.15 on only. So a tree is attached first, and its parts are
// opened from its own descriptor then: nothing of the image runs before all is done, and no name of the image's is
// looked up on the way.
namespace mbuild::executor {
namespace {

constexpr unsigned k_no_programs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr unsigned k_device = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
constexpr std::uint64_t k_default_shm = 64ull << 20;

// As runc's configuration of BuildKit has them.
constexpr const char* k_masked_proc[] = {"acpi",       "asound",      "kcore",       "keys", "latency_stats",
                                         "timer_list", "timer_stats", "sched_debug", "scsi", "interrupts"};
constexpr const char* k_masked_sys[] = {"firmware", "devices/virtual/powercap"};
constexpr const char* k_processors = "devices/system/cpu";  // each has a directory thermal_throttle, which is masked
constexpr const char* k_control_groups = "fs/cgroup";
constexpr const char* k_read_only_proc[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};

// Files of /proc that a mount may stand in for, as runc has it.
constexpr const char* k_replaceable[] = {"proc/cpuinfo",
                                         "proc/diskstats",
                                         "proc/loadavg",
                                         "proc/meminfo",
                                         "proc/net/dev",
                                         "proc/slabinfo",
                                         "proc/stat",
                                         "proc/swaps",
                                         "proc/uptime",
                                         "proc/sys/kernel/ns_last_pid",
                                         "proc/sys/crypto/fips_enabled"};

struct Link {
  const char* name;
  const char* target;
};
constexpr Link k_device_links[] = {{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
                                   {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
                                   {"ptmx", "pts/ptmx"},          {"core", "/proc/kcore"}};

bool insecure(const SandboxSpec& spec) { return spec.security == graph::SecurityMode::insecure; }

void put(int root, const char* name, const Fd& tree) {
  attach(tree.get(), open_resolved(root, name, O_PATH | O_DIRECTORY).get());
}

// A part of an attached tree; empty when this kernel has no such file.
Fd open_part(const Fd& tree, const char* name) {
  errno = 0;
  Fd part = try_open_resolved(tree.get(), name, O_PATH);
  if (!part && errno != ENOENT) throw system_error(errno, fmt::format("open {} to protect it", name), ExitClass::host);
  return part;
}

struct stat status_of(const Fd& part, const char* path) {
  struct stat out;
  if (::fstat(part.get(), &out) < 0) throw system_error(errno, fmt::format("stat {}", path), ExitClass::host);
  return out;
}

struct statfs file_system_of(const Fd& part, const char* path) {
  struct statfs out;
  if (::fstatfs(part.get(), &out) < 0) throw system_error(errno, fmt::format("look at {}", path), ExitClass::host);
  return out;
}

bool is_read_only(const struct statfs& status) { return (status.f_flags & ST_RDONLY) != 0; }

Error not_protected(const char* path, const char* what) {
  return Error(ExitClass::host, fmt::format("{} of the sandbox {}; the step is not run", path, what));
}

// What covers a directory so that it looks empty.
Fd nothing() { return make_filesystem("tmpfs", {{"size", "4k"}}, k_no_programs | MOUNT_ATTR_RDONLY); }

// What parts are covered with: a file with /dev/null, a directory with one empty directory, made when first needed.
// Only what is attached can be cloned.
struct Covers {
  const Fd& null_device;
  Fd directory;
};

bool is_covered(const Fd& part, const char* name) {
  const auto status = status_of(part, name);
  if (!S_ISDIR(status.st_mode)) return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
  const auto system = file_system_of(part, name);
  return system.f_type == TMPFS_MAGIC && is_read_only(system);
}

void mask(const Fd& tree, const char* name, Covers& covers) {
  const Fd part = open_part(tree, name);
  if (!part) return;
  if (!S_ISDIR(status_of(part, name).st_mode)) {
    attach(clone_tree(covers.null_device.get(), "", false).get(), part.get());
  } else if (covers.directory) {
    attach(clone_tree(covers.directory.get(), "", false).get(), part.get());
  } else {
    covers.directory = nothing();
    attach(covers.directory.get(), part.get());
  }
  if (!is_covered(open_part(tree, name), name)) throw not_protected(name, "can be seen");
}

void make_read_only(const Fd& tree, const char* name) {
  const Fd part = open_part(tree, name);
  if (!part) return;
  const Fd copy = clone_tree(part.get(), "", true);
  set_mount_attributes(copy.get(), MOUNT_ATTR_RDONLY, true);
  attach(copy.get(), part.get());
}

// A device of the host's, which can be used but not changed; empty when the host has none.
Fd bind_device(const Fd& dev, const char* name) {
  const std::string host = fmt::format("/dev/{}", name);
  if (!path_exists(host)) return {};
  const Fd place = open_at(dev.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  Fd device = clone_tree(AT_FDCWD, host, false);
  set_mount_attributes(device.get(), k_device, false);
  attach(device.get(), place.get());
  return device;
}

void attach_in_dev(const Fd& dev, const char* name, const Fd& tree) {
  if (::mkdirat(dev.get(), name, 0755) < 0) throw system_error(errno, "mkdir in /dev", ExitClass::host);
  attach(tree.get(), open_at(dev.get(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW).get());
}

// Returns the device null.
Fd mount_dev(const SandboxSpec& spec, int root) {
  const Fd dev =
      make_filesystem("tmpfs", {{"mode", "0755"}, {"size", "65536k"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
  put(root, "dev", dev);
  Fd null = bind_device(dev, "null");
  if (!null) throw Error(ExitClass::host, "the host has no /dev/null");
  for (const char* name : {"zero", "full", "random", "urandom", "tty"}) bind_device(dev, name);
  for (const auto& link : k_device_links) ::symlinkat(link.target, dev.get(), link.name);
  std::vector<FsOption> pts = {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}};
  if (!spec.single_id) pts.push_back({"gid", "5"});
  attach_in_dev(dev, "pts", make_filesystem("devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
  const auto size = spec.shm_size != 0 ? spec.shm_size : k_default_shm;
  attach_in_dev(dev, "shm",
                make_filesystem("tmpfs", {{"mode", "1777"}, {"size", std::to_string(size)}}, k_no_programs));
  try {
    attach_in_dev(dev, "mqueue", make_filesystem("mqueue", {}, k_no_programs));
  } catch (const Error&) {
    ::mkdirat(dev.get(), "mqueue", 0755);  // a kernel without POSIX message queues
  }
  return null;
}

// Where no layer sees them. Without that directory the step is emulated.
void mount_native_programs(const Fd& proc, const NativeSource& native) {
  const Fd place = open_part(proc, base_name(MBUILD_ACCEL_PLACE).c_str());
  if (!place) return;
  const Fd programs = clone_tree(AT_FDCWD, native.directory, false);
  set_mount_attributes(programs.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false);
  attach(programs.get(), place.get());
}

// True when the host's own /proc had to be taken.
bool mount_proc(const SandboxSpec& spec, int root, Covers& covers) {
  bool host_proc = false;
  Fd proc;
  try {
    if (feature_disabled("proc-mount")) throw Error(ExitClass::host, "mount proc: switched off");
    proc = make_filesystem("proc", {}, k_no_programs);
  } catch (Error& error) {
    // Parts of the host's are masked (a container): a fresh one would reveal them.
    if (!spec.less_isolation) {
      throw add_isolation_advice(std::move(error.with_context("a step needs a /proc of its own")),
                                 "steps then see the processes of this container or host");
    }
    proc = clone_tree(AT_FDCWD, "/proc", true);
    set_mount_attributes(proc.get(), k_no_programs, true);
    host_proc = true;
  }
  put(root, "proc", proc);
  if (insecure(spec)) return host_proc;
  for (const char* name : k_read_only_proc) make_read_only(proc, name);
  for (const char* name : k_masked_proc) mask(proc, name, covers);
  if (spec.emulation && spec.emulation->native) mount_native_programs(proc, *spec.emulation->native);
  return host_proc;
}

struct Sys {
  Fd tree;
  std::vector<std::string> mounts;  // places in it where the host has mounted something, sorted
};

// "\040" and the like, as mountinfo has them.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Paths relative to `directory` of what is mounted below it, sorted.
std::vector<std::string> mounts_below(const std::string& directory) {
  std::vector<std::string> out;
  for (const auto& line : split(read_file("/proc/self/mountinfo"), '\n')) {
    const auto fields = split(line, ' ');  // number, parent, device, root, place, ...
    if (fields.size() < 5) continue;
    const std::string place = unescaped(fields[4]);
    if (place.starts_with(directory + "/")) out.push_back(place.substr(directory.size() + 1));
  }
  std::sort(out.begin(), out.end());
  return out;
}

// sysfs shows the network: a fresh one is for those who own a network namespace. Mounts that the host has below its own
// (debugfs, tracefs, securityfs, ...) are locked to it in a user namespace, so that they come along.
Sys make_sys(const SandboxSpec& spec) {
  const std::uint64_t attributes = k_no_programs | (insecure(spec) ? 0u : MOUNT_ATTR_RDONLY);
  if (spec.network.mode == graph::NetworkMode::none || spec.network.name_space) {
    try {
      return {make_filesystem("sysfs", {}, static_cast<unsigned>(attributes)), {}};
    } catch (const Error&) {
      // the host's has parts mounted over
    }
  }
  Sys sys{clone_tree(AT_FDCWD, "/sys", true), {}};
  set_mount_attributes(sys.tree.get(), attributes, true);
  if (insecure(spec)) return sys;
  if (file_system_of(sys.tree, "/sys").f_type != SYSFS_MAGIC) return {nothing(), {}};
  sys.mounts = mounts_below("/sys");
  return sys;
}

// What is seen of the control groups is what the namespace has of them, or nothing.
void cover_control_groups(const Fd& sys) {
  const Fd place = open_part(sys, k_control_groups);
  if (!place) return;
  Fd groups;
  try {
    groups = make_filesystem("cgroup2", {}, k_no_programs | MOUNT_ATTR_RDONLY);
  } catch (const Error&) {
    groups = nothing();
  }
  attach(groups.get(), place.get());
}

bool lies_in(std::string_view path, std::string_view directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

// Leaves of the host's /sys what is a sysfs. What is below a covered place can't be reached any more.
void cover_mounts(const Sys& sys, Covers& covers) {
  std::string covered = k_control_groups;
  for (const auto& place : sys.mounts) {
    if (lies_in(place, k_control_groups) || lies_in(place, covered)) continue;
    const Fd part = open_part(sys.tree, place.c_str());
    if (!part || file_system_of(part, place.c_str()).f_type == SYSFS_MAGIC) continue;
    mask(sys.tree, place.c_str(), covers);
    covered = place;
  }
}

void mask_thermal_throttle(const Fd& sys, Covers& covers) {
  const Fd processors = try_open_resolved(sys.get(), k_processors, O_RDONLY | O_DIRECTORY);
  if (!processors) return;
  for (const auto& name : sorted_names(processors.get())) {
    if (name.starts_with("cpu")) mask(processors, (name + "/thermal_throttle").c_str(), covers);
  }
}

void mount_sys(const SandboxSpec& spec, int root, Covers& covers) {
  const Sys sys = make_sys(spec);
  put(root, "sys", sys.tree);
  if (insecure(spec)) return;
  cover_control_groups(sys.tree);
  cover_mounts(sys, covers);
  for (const char* name : k_masked_sys) mask(sys.tree, name, covers);
  mask_thermal_throttle(sys.tree, covers);
}

}  // namespace

void make_system_directories(int root) {
  for (const char* name : {"dev", "proc", "sys"}) {
    struct stat status;
    if (::fstatat(root, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (::mkdirat(root, name, 0755) == 0) continue;
      throw system_error(errno, fmt::format("make /{} in the sandbox", name), ExitClass::step_failed);
    }
    if (S_ISDIR(status.st_mode)) continue;
    throw Error(ExitClass::step_failed, fmt::format("/{} of the image is not a directory", name))
        .with_advice(
            fmt::format("a step needs /{} as a place to mount at: use a base image that has a directory there, "
                        "or nothing",
                        name));
  }
}

SystemMounts mount_system(const SandboxSpec& spec, int root) {
  SystemMounts out;
  const Fd null_device = mount_dev(spec, root);
  out.null = open_file(fd_path(null_device.get()), O_RDONLY);
  Covers covers{null_device, {}};
  out.host_proc = mount_proc(spec, root, covers);
  mount_sys(spec, root, covers);
  return out;
}

void check_mount_target(const std::string& resolved) {
  const bool in_proc = resolved == "proc" || resolved.starts_with("proc/");
  if (!resolved.empty() && !in_proc) return;
  if (std::find(std::begin(k_replaceable), std::end(k_replaceable), resolved) != std::end(k_replaceable)) return;
  throw Error(ExitClass::step_failed, fmt::format("nothing can be mounted at /{} of a sandbox", resolved));
}

void verify_system(const SandboxSpec& spec) {
  const Fd root = open_file("/", O_PATH | O_DIRECTORY);
  const Fd proc = open_resolved(root.get(), "proc", O_PATH | O_DIRECTORY);
  if (file_system_of(proc, "/proc").f_type != PROC_SUPER_MAGIC) throw not_protected("/proc", "is no procfs");
  if (insecure(spec)) return;
  for (const char* name : k_read_only_proc) {
    const Fd part = open_part(proc, name);
    if (part && !is_read_only(file_system_of(part, name))) throw not_protected("/proc", "can be written");
  }
  // A mount of the step may stand in for it.
  const auto sys = file_system_of(open_resolved(root.get(), "sys", O_PATH | O_DIRECTORY), "/sys");
  if (sys.f_type == SYSFS_MAGIC && !is_read_only(sys)) throw not_protected("/sys", "can be written");
}

}  // namespace mbuild::executor
