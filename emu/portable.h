#pragma once

#include <cstddef>
#include <string_view>

#include "platforms/platform.h"

namespace mbuild::emu {

// As much of a file as is_portable looks at has to be given whole; a larger file is taken for one of its architecture.
inline constexpr std::size_t k_most_portable_bytes = std::size_t{64} << 20;

// True where a file that was made on the platform is surely the same on every other: no program, object or library,
// nothing packed but zip archives (jar) without libraries in them, and no word of the architecture in name or content.
bool is_portable(std::string_view path, std::string_view content, const platforms::Descriptor& platform);

}  // namespace mbuild::emu
