#pragma once

#include <cstdint>
#include <string_view>

namespace mbuild {

// Writes all of it at a place of a file, whatever the file's own position is. Throws Error (store).
void write_at(int fd, std::string_view data, std::uint64_t offset);

}  // namespace mbuild
