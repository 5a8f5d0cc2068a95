#pragma once

#include "base/fd.h"
#include "worker/sandbox/sandbox.h"

// /proc, /sys and /dev of a sandbox. Nothing here is found by a path that leads through the image: what an image has in
// the place of these directories is refused, and what is mounted or masked below them is opened from their own mounts.
namespace mbuild::executor {

// Makes what is missing of /proc, /sys and /dev. Throws Error (step_failed) where one is anything but a directory.
void make_system_directories(int root);

struct SystemMounts {
  bool host_proc = false;  // the host refused a fresh /proc: its own is seen
  Fd null;                 // /dev/null of the sandbox, open for reading
};

// Mounts and masks them in an attached root. Throws Error (host) unless all of it can be done.
SystemMounts mount_system(const SandboxSpec& spec, int root);

// Throws Error (step_failed) for the resolved target of a mount that would stand in for /proc or in it, or cover the
// whole root.
void check_mount_target(const std::string& resolved);

// After the pivot: throws Error (host) unless /proc is one, and what must be read-only is so.
void verify_system(const SandboxSpec& spec);

}  // namespace mbuild::executor
