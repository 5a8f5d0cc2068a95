#pragma once

#include <cstdint>
#include <string_view>

namespace mbuild::frontend::dockerfile {

// Nanoseconds of a duration as Go writes it: "1h30m", "1.5s", "100ms". Throws Error (usage).
std::int64_t parse_duration(std::string_view text);

}  // namespace mbuild::frontend::dockerfile
