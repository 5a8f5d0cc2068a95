#pragma once

#include <string>
#include <string_view>

namespace mbuild::executor {

// Debian's name for the architecture of a machine as uname(2) has it ("arm64" for "aarch64"); "" for one whose data
// structures are not those of this host: of another size or order of bytes.
std::string_view debian_architecture(std::string_view machine);

// The bytes of a native program of the package dpkg that works for another architecture than its own: the text by which
// it knows that is one of its constants (dpkg, lib/dpkg/arch.c). Throws Error where that can't be done.
std::string with_architecture(std::string native, std::string_view own, std::string_view other);

// Whether a library of apt lets itself be told of the architecture as emu/accel/piece/apt.c does.
bool takes_architecture(std::string_view library);

}  // namespace mbuild::executor
