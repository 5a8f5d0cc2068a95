#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "platforms/platform.h"

namespace mbuild::emu {

// What is written to a binfmt_misc "register" file: ":NAME:M::MAGIC:MASK:PATH:POCF", another separator where the path
// has a colon. Throws Error (host) when the path is too long for the kernel or has a line end.
std::string registration_line(const platforms::Descriptor& descriptor, std::string_view emulator_path);
// The entry's name in it: "mbuild-linux-arm64".
std::string registration_name(const platforms::Descriptor& descriptor);

// One entry of a mounted binfmt_misc.
struct Handler {
  std::string name;
  bool enabled = false;
  std::string interpreter;
  std::string flags;  // "POCF"
  std::string magic;  // raw bytes, from `offset`; "" where the handler goes by file extension
  std::string mask;   // raw bytes, as long as magic
  std::size_t offset = 0;

  // The interpreter is already open: it need not exist in the root of the process.
  bool works_in_any_root() const { return flags.find('F') != std::string::npos; }
  bool keeps_argv0() const { return flags.find('P') != std::string::npos; }
};

// Parses the text of /proc/sys/fs/binfmt_misc/NAME; nothing where it is no handler ("register", "status").
std::optional<Handler> parse_handler(std::string name, std::string_view text);
// True where the handler takes the executables, fixed and position-independent, of the platform.
bool matches(const Handler& handler, const platforms::Descriptor& descriptor);
// All handlers of a mounted binfmt_misc; nothing where the directory is none or it is switched off as a whole.
std::optional<std::vector<Handler>> read_handlers(const std::string& directory);

// A binfmt_misc of the caller's user namespace that is mounted nowhere. Every entry lives as long as the descriptor
// (or a copy in another process). The caller must have CAP_SYS_ADMIN in a user namespace other than the initial one.
// Throws Error (host) where the kernel is older than 6.7 or forbids it.
Fd open_private_binfmt();
// Makes the emulator the handler of the platform in it. The emulator is opened now, by the kernel.
void register_emulator(int binfmt, const platforms::Descriptor& descriptor, const std::string& emulator_path);

}  // namespace mbuild::emu
