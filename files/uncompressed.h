#pragma once

#include <stop_token>

namespace mbuild {

// Writes what can be read from a descriptor to another one: what it is compressed from where it is compressed by gzip,
// bzip2, xz or zstd, else as it is. Throws Error (usage) for broken data.
void copy_uncompressed(int from, int to, const std::stop_token& stop);

}  // namespace mbuild
