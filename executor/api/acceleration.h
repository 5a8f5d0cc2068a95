#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "emu/emulator.h"

namespace mbuild::executor {

// How programs of a foreign platform are run (docs/emulation.md).
enum class Acceleration {
  off,        // all are emulated
  safe,       // native ones stand in for those whose results do not depend on the platform
  compilers,  // as safe, and cross compilers of the same source for those of the platform
  verify,     // as compilers, and each step is run without them, too: the layers have to be equal
};

constexpr bool with_compilers(Acceleration level) {
  return level == Acceleration::compilers || level == Acceleration::verify;
}

// What may stand in for emulated programs.
constexpr emu::NativeUse most_native(Acceleration level) {
  if (level == Acceleration::off) return emu::NativeUse::none;
  return with_compilers(level) ? emu::NativeUse::compilers : emu::NativeUse::programs;
}

// Throws Error (usage).
Acceleration parse_acceleration(std::string_view text);

// What emulation was in the steps that ran.
struct EmulationUse {
  std::size_t steps = 0;
  std::uint64_t programs = 0, native = 0;  // started; of these, native ones in their place
  std::uint64_t milliseconds = 0;          // that the steps took
};

// What native programs in the place of emulated ones saved at least: the start of a program takes the emulator 13 to 15
// milliseconds and the processor half of one, whatever the program does then (docs/emulation.md).
constexpr std::uint64_t least_milliseconds_saved(std::uint64_t native) { return native * 12; }

}  // namespace mbuild::executor
