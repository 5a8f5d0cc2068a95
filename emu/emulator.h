#pragma once

#include <optional>
#include <string>
#include <vector>

#include "platforms/platform.h"

namespace mbuild::emu {

// How the programs of a platform are executed on this host.
struct Execution {
  enum class Kind {
    native,
    compatible,    // the processor and the kernel run them as they stand (386 on amd64)
    host_handler,  // the host's binfmt_misc has a handler that works in any root (flag F): Rosetta, FEX, QEMU
    qemu           // emulator_path must be registered in a private binfmt_misc (emu/binfmt.h)
  };

  Kind kind = Kind::native;
  std::string emulator_path;  // on the host; of a handler, its interpreter, and "" where the host does not show it
  std::string handler;        // the handler's name in binfmt_misc
};

// Where to look. A process in a user namespace with a binfmt_misc of its own no longer sees the host's handlers:
// whoever makes one must register emulator_path of a host_handler there too.
struct EmulatorSearch {
  std::vector<std::string> directories;  // for QEMU, in order of preference
  std::string handlers_directory = "/proc/sys/fs/binfmt_misc";
  bool private_registration = true;  // false: only the host's handlers can be used
  bool trial = true;                 // false: start no trial programs
};

// $MBUILD_QEMU_DIR, the program's own directory, $PATH, /usr/bin, /usr/local/bin, /usr/libexec/qemu-binfmt.
EmulatorSearch default_search();

// Throws Error (host) that names the package to install when the host has no way to run the platform.
Execution choose(const platforms::Platform& step, const platforms::Platform& host, const EmulatorSearch& search);
// QEMU of this host's own, whatever handlers there are; nothing where there is none that could be registered.
std::optional<Execution> choose_own(const platforms::Platform& step, const platforms::Platform& host,
                                    const EmulatorSearch& search);

// "native", "compatible", "host handler rosetta (/mnt/rosetta)", "/usr/bin/qemu-aarch64-static".
std::string describe(const Execution& execution);

// What uname says to programs of the platform under QEMU ("aarch64"); "" where that is not known.
std::string machine_name(const platforms::Platform& platform);

// What stood in for emulated programs, the least first.
enum class NativeUse { none, programs, compilers };

// For build records: what ran the programs, and what stood in for some.
std::string with_native_use(const std::string& emulator, NativeUse use);
NativeUse native_use(std::string_view emulator);

// For build records: the first line of `emulator_path --version`, "" where there is none. Starts the emulator.
std::string emulator_version(const Execution& execution);

// True where the kernel, by whatever means, runs a statically linked program of the platform in a root that has no
// other file. Starts a program of a few bytes; 1 ms.
bool can_execute(const platforms::Descriptor& descriptor);

}  // namespace mbuild::emu
