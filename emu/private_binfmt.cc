#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "emu/binfmt.h"

// Since Linux 6.7 each user namespace can have a binfmt_misc of its own, which the kernel consults instead of the
// host's for the programs of that namespace and of those below it. It is used here without a mount point: a step
// can neither see it nor switch it off, and pivot_root in the sandbox does not take it away. In return it vanishes with
// its last open descriptor, and with it all emulation: the process that lives as long as the steps must keep it.
//
// The entries have flags POCF:
//   F  the kernel opens the emulator now, so that it need not exist in the root of a step
//   P  argv[0] stays what the caller gave; busybox chooses its applet by it
//   C  a setuid program gets its credentials from the file and not from the emulator (implies O)
//   O  the file is handed over as an open descriptor, so that programs without read permission run
namespace mbuild::emu {
namespace {

Error binfmt_error(int code, std::string_view what) {
  return Error(ExitClass::host, fmt::format("private binfmt_misc: {}: {}", what, std::strerror(code)))
      .with_advice(
          "This needs Linux 6.7 or newer, with the binfmt_misc module loaded (modprobe binfmt_misc) and user "
          "namespaces "
          "allowed; on other hosts have the emulator registered with the host: apt-get install qemu-user-static.");
}

}  // namespace

Fd open_private_binfmt() {
  const Fd context(static_cast<int>(::syscall(SYS_fsopen, "binfmt_misc", 1U)));  // FSOPEN_CLOEXEC
  if (!context) throw binfmt_error(errno, "fsopen");
  constexpr unsigned k_create = 6;  // FSCONFIG_CMD_CREATE
  if (::syscall(SYS_fsconfig, context.get(), k_create, nullptr, nullptr, 0) != 0)
    throw binfmt_error(errno, "creating it");
  Fd mounted(static_cast<int>(::syscall(SYS_fsmount, context.get(), 1U, 0U)));  // FSMOUNT_CLOEXEC
  if (!mounted) throw binfmt_error(errno, "fsmount");
  return mounted;
}

void register_emulator(int binfmt, const platforms::Descriptor& descriptor, const std::string& emulator_path) {
  const std::string line = registration_line(descriptor, emulator_path);
  const Fd file(::openat(binfmt, "register", O_WRONLY | O_CLOEXEC));
  if (!file) throw binfmt_error(errno, "opening register");
  if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw binfmt_error(errno, fmt::format("registering {} for {}", emulator_path, descriptor.name));
  }
}

}  // namespace mbuild::emu
