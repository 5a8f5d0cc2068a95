#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mbuild::emu {

// The code that asks for native equivalents (piece/piece.c), as it is laid into an emulator.
std::string_view accel_piece();

// The library by which a native program comes back to its root directory (piece/back.c), and apt works for an
// architecture by Debian's name for it, such as "arm64" (piece/apt.c).
std::string accel_preload(std::string_view architecture);

// The emulator, a statically linked ELF program of this host, with the piece at its entry: the piece is a segment of
// its own behind the others, described by the program header of a note. Nothing where the program's layout is not
// understood: it can be used as it is.
std::optional<std::string> inject_piece(std::string_view emulator, std::string_view piece);

// True where the layout of the emulator at `path` is understood; false for a file that can't be read, too.
bool is_layout_understood(const std::string& path);

// The path of such a copy of the emulator at `path`, below `directory`, which is made when it is missing; "" where the
// emulator's layout is not understood. A copy is made once for each emulator file, and kept. Throws Error (store).
std::string accelerated_emulator(const std::string& path, const std::string& directory);

}  // namespace mbuild::emu
