#pragma once

#include <string>
#include <string_view>

namespace mbuild::executor {

// The bytes of a native make that answers as the emulated one: MAKE_HOST is the emulated one's, and words are sorted by
// characters that have a sign where those of the emulated platform have one. Throws Error where that can't be done.
std::string make_as_emulated(std::string native, std::string_view emulated);

}  // namespace mbuild::executor
