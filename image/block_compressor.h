#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "image/serialise.h"

// Compression of a stream in blocks that know nothing of each other.
namespace mbuild::image {

// Input bytes of a block; fixed, because the output depends on it.
std::size_t compression_block_size(Compression compression);
// "isa-l 2.30.0 level 1".
std::string compressor_name(Compression compression, std::optional<int> level);

// Compresses one block, replacing `out`. It holds state: one for each thread.
using CompressBlock = std::function<void(std::string_view in, std::string& out)>;
CompressBlock make_block_compressor(Compression compression, std::optional<int> level);

// What stands before the first and after the last block of the stream. crc and size are those of all input; crc is used
// for gzip only.
std::string stream_head(Compression compression);
std::string stream_tail(Compression compression, std::uint32_t crc, std::uint64_t size);

std::uint32_t block_crc(std::string_view block);
std::uint32_t joined_crc(std::uint32_t crc, std::uint32_t next_crc, std::uint64_t next_size);

}  // namespace mbuild::image
