#pragma once

#include <cstdint>
#include <string>

namespace mbuild {

// "1.2GB"; powers of 1000, as docker prints them.
std::string size_text(std::uint64_t bytes);

}  // namespace mbuild
