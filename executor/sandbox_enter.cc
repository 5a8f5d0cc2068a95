#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "executor/probes.h"
#include "executor/root_path.h"
#include "executor/sandbox_mount.h"
#include "executor/sandbox_paths.h"
#include "executor/sandbox_root.h"

// Everything is mounted before the pivot, while the host's /proc, /sys and /dev are there to be cloned and to show the
// kernel that fresh ones reveal nothing new. The root is addressed by descriptor throughout, and paths in it are
// resolved inside it.
namespace mbuild::executor {
namespace {

constexpr unsigned k_no_programs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr std::uint64_t k_default_shm = 64ull << 20;

// As runc's configuration of BuildKit has them.
constexpr const char* k_masked[] = {"proc/acpi",
                                    "proc/asound",
                                    "proc/kcore",
                                    "proc/keys",
                                    "proc/latency_stats",
                                    "proc/timer_list",
                                    "proc/timer_stats",
                                    "proc/sched_debug",
                                    "proc/scsi",
                                    "proc/interrupts",
                                    "sys/firmware",
                                    "sys/devices/virtual/powercap",
                                    "sys/devices/system/cpu/cpu0/thermal_throttle"};
constexpr const char* k_read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};

struct Link {
  const char* name;
  const char* target;
};
constexpr Link k_device_links[] = {{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
                                   {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
                                   {"ptmx", "pts/ptmx"},          {"core", "/proc/kcore"}};

class RootBuilder {
 public:
  RootBuilder(const SandboxSpec& spec, PreparedRoot& prepared) : spec_(spec), prepared_(prepared) {}

  void attach_root() {
    const Fd place = open_file(prepared_.place, O_PATH | O_DIRECTORY);
    attach(root(), place.get());
  }

  // True when the host's own /proc had to be taken.
  bool mount_proc() {
    bool host_proc = false;
    Fd proc;
    try {
      if (feature_disabled("proc-mount")) throw Error(ExitClass::host, "mount proc: switched off");
      proc = make_filesystem("proc", {}, k_no_programs);
    } catch (const Error&) {
      // Parts of the host's are masked (a container): a fresh one would reveal them.
      proc = clone_tree(AT_FDCWD, "/proc", true);
      host_proc = true;
    }
    put("proc", proc, true);
    return host_proc;
  }

  void mount_sys() {
    const std::uint64_t attributes = k_no_programs | (insecure() ? 0u : MOUNT_ATTR_RDONLY);
    // sysfs shows the network: a fresh one is for those who own a network namespace.
    if (spec_.network == graph::NetworkMode::none) {
      try {
        put("sys", make_filesystem("sysfs", {}, static_cast<unsigned>(attributes)), true);
        return;
      } catch (const Error&) {
        // the host's has parts mounted over
      }
    }
    const Fd sys = clone_tree(AT_FDCWD, "/sys", true);
    if (!insecure()) set_mount_attributes(sys.get(), MOUNT_ATTR_RDONLY, true);
    put("sys", sys, true);
  }

  void mount_dev() {
    const Fd dev =
        make_filesystem("tmpfs", {{"mode", "0755"}, {"size", "65536k"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
    put("dev", dev, true);
    for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) bind_device(dev.get(), name);
    for (const char* name : {"pts", "shm", "mqueue"}) {
      if (::mkdirat(dev.get(), name, 0755) < 0) throw system_error(errno, "mkdir in /dev", ExitClass::host);
    }
    for (const auto& link : k_device_links) ::symlinkat(link.target, dev.get(), link.name);
    mount_pts();
    const auto size = spec_.shm_size != 0 ? spec_.shm_size : k_default_shm;
    put("dev/shm", make_filesystem("tmpfs", {{"mode", "1777"}, {"size", std::to_string(size)}}, k_no_programs), true);
    try {
      put("dev/mqueue", make_filesystem("mqueue", {}, k_no_programs), true);
    } catch (const Error&) {
      // a kernel without POSIX message queues
    }
  }

  void mount_prepared(const std::vector<PreparedMount>& mounts) {
    for (const auto& mount : mounts) {
      try {
        put(mount.target, mount.tree, mount.directory);
      } catch (Error& error) {
        error.exit_class = ExitClass::step_failed;
        throw error.with_context(fmt::format("mount at {}", mount.target));
      }
    }
  }

  void protect() {
    if (insecure()) return;
    for (const char* path : k_read_only) {
      const Fd fd = try_open_resolved(root(), path, O_PATH);
      if (!fd) continue;
      const Fd tree = clone_tree(fd.get(), "", true);
      set_mount_attributes(tree.get(), MOUNT_ATTR_RDONLY, true);
      attach(tree.get(), fd.get());
    }
    for (const char* path : k_masked) {
      const Fd fd = try_open_resolved(root(), path, O_PATH);
      if (fd) mask(fd.get());
    }
  }

  void pivot() {
    if (::fchdir(root()) < 0 || ::syscall(SYS_pivot_root, ".", ".") < 0) {
      throw system_error(errno, "pivot into the root of the sandbox", ExitClass::host);
    }
    // The old root lies on top of the new one now.
    if (::umount2(".", MNT_DETACH) < 0 || ::chdir("/") < 0) {
      throw system_error(errno, "leave the host's root", ExitClass::host);
    }
  }

  void make_working_directory() { make_in_root(root(), spec_.cwd, true, prepared_.user); }

 private:
  int root() const { return prepared_.root.get(); }
  bool insecure() const { return spec_.security == graph::SecurityMode::insecure; }

  void put(std::string_view target, const Fd& tree, bool directory) {
    const std::string path = make_in_root(root(), target, directory, {});
    attach(tree.get(), open_resolved(root(), path, O_PATH).get());
  }

  void bind_device(int dev, const char* name) {
    const std::string host = fmt::format("/dev/{}", name);
    if (!path_exists(host)) return;
    const Fd place = open_at(dev, name, O_WRONLY | O_CREAT | O_EXCL, 0666);
    attach(clone_tree(AT_FDCWD, host, false).get(), place.get());
  }

  void mount_pts() {
    std::vector<FsOption> options = {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}};
    if (!spec_.single_id) options.push_back({"gid", "5"});
    put("dev/pts", make_filesystem("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), true);
  }

  void mask(int target) {
    struct stat status;
    if (::fstat(target, &status) < 0) return;
    if (!S_ISDIR(status.st_mode)) {
      attach(clone_tree(AT_FDCWD, "/dev/null", false).get(), target);
      return;
    }
    attach(make_filesystem("tmpfs", {{"size", "4k"}}, k_no_programs | MOUNT_ATTR_RDONLY).get(), target);
  }

  const SandboxSpec& spec_;
  PreparedRoot& prepared_;
};

}  // namespace

bool enter_root(const SandboxSpec& spec, PreparedRoot& prepared) {
  RootBuilder builder(spec, prepared);
  builder.attach_root();
  const bool host_proc = builder.mount_proc();
  builder.mount_dev();
  builder.mount_sys();
  builder.protect();
  builder.mount_prepared(prepared.system_mounts);
  builder.mount_prepared(prepared.mounts);
  builder.make_working_directory();
  builder.pivot();
  return host_proc;
}

}  // namespace mbuild::executor
