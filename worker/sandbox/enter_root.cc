#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "files/root_path.h"
#include "worker/sandbox/make_path.h"
#include "worker/sandbox/root.h"
#include "worker/snapshot/mount_calls.h"

// Everything is mounted before the pivot, while the host's /proc, /sys and /dev are there to be cloned and to show the
// kernel that fresh ones reveal nothing new. The root is addressed by descriptor throughout, and paths in it are
// resolved inside it.
namespace mbuild::executor {
namespace {

void attach_prepared(int root, const PreparedMount& mount) {
  check_mount_target(resolve_in_root(root, mount.target).path);
  const std::string path = make_in_root(root, mount.target, mount.directory, {});
  attach(mount.tree.get(), open_resolved(root, path, O_PATH).get());
}

void attach_all(int root, const std::vector<PreparedMount>& mounts) {
  for (const auto& mount : mounts) {
    try {
      attach_prepared(root, mount);
    } catch (Error& error) {
      error.exit_class = ExitClass::step_failed;
      throw error.with_context(fmt::format("mount at {}", mount.target));
    }
  }
}

void make_working_directory(const SandboxSpec& spec, int root, const SandboxUser& user) {
  try {
    make_in_root(root, spec.cwd, true, user);
  } catch (Error& error) {
    error.exit_class = ExitClass::step_failed;
    throw error.with_context(fmt::format("working directory {}", spec.cwd));
  }
}

void pivot(int root) {
  if (::fchdir(root) < 0 || ::syscall(SYS_pivot_root, ".", ".") < 0) {
    throw system_error(errno, "pivot into the root of the sandbox", ExitClass::host);
  }
  // The old root lies on top of the new one now.
  if (::umount2(".", MNT_DETACH) < 0 || ::chdir("/") < 0) {
    throw system_error(errno, "leave the host's root", ExitClass::host);
  }
}

}  // namespace

SystemMounts enter_root(const SandboxSpec& spec, PreparedRoot& prepared) {
  const int root = prepared.root.get();
  attach(root, open_file(prepared.place, O_PATH | O_DIRECTORY).get());
  SystemMounts out = mount_system(spec, root);
  attach_all(root, prepared.system_mounts);
  attach_all(root, prepared.mounts);
  make_working_directory(spec, root, prepared.user);
  if (spec.container && spec.container->read_only) set_mount_attributes(root, MOUNT_ATTR_RDONLY, false);
  pivot(root);
  verify_system(spec);
  return out;
}

}  // namespace mbuild::executor
