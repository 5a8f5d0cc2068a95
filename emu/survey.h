#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emu/emulator.h"
#include "platforms/platform.h"

namespace mbuild::emu {

// Whether and how this host runs the programs of a platform.
struct Support {
  const platforms::Descriptor* descriptor = nullptr;
  std::optional<Execution> how;       // nothing: it does not
  std::vector<std::string> variants;  // others of the platform that the host's own processor has: "v2"
  std::string version;                // "7.2.22" of QEMU, the first line that another emulator says of itself, or ""
  bool accelerated = false;           // native programs can stand in for emulated ones
  std::string obstacle;               // why they can't, where the programs run under QEMU
  bool traced = false;                // under QEMU, without a registration: each exec is traced
  std::string problem, remedy;        // where it does not
};

// For each platform that mbuild knows, those of the host's own processor first. Starts each emulator once.
std::vector<Support> survey(const platforms::Platform& host, const EmulatorSearch& search);

// Why programs that `execution` runs can't have native ones in their place; "" where they can: under a QEMU whose
// layout is understood, for a platform whose numbers have the same order of bytes.
std::string acceleration_obstacle(const platforms::Descriptor& descriptor, const Execution& execution);

// "7.2.22" of "qemu-aarch64 version 7.2.22 (Debian ...)"; the line itself where it is not of that form.
std::string version_number(const std::string& line);

}  // namespace mbuild::emu
