#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "layers/serialise.h"

// Compression of a stream in blocks that know nothing of each other.
namespace mbuild::image {

// Input bytes of a block; fixed, because the output depends on it.
std::size_t compression_block_size(Compression compression);
// Bytes in memory that is not cleared, and is used again: pages that are new to a process cost more than compression.
class Bytes {
 public:
  // What was there is lost.
  void make_room(std::size_t capacity) {
    if (capacity > capacity_) memory_ = std::make_unique_for_overwrite<char[]>(capacity_ = capacity);
    size_ = 0;
  }
  std::size_t capacity() const { return capacity_; }
  char* data() { return memory_.get(); }
  void resize(std::size_t size) { size_ = size; }  // at most the capacity
  void append(std::string_view bytes) {            // as far as there is room
    std::copy(bytes.begin(), bytes.end(), memory_.get() + size_);
    size_ += bytes.size();
  }
  std::string_view view() const { return {memory_.get(), size_}; }

 private:
  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0, size_ = 0;
};

// Compresses one block, replacing `out`. It holds state: one for each thread.
using CompressBlock = std::function<void(std::string_view in, Bytes& out)>;
CompressBlock make_block_compressor(Compression compression, std::optional<int> level);

// What stands before the first and after the last block of the stream. crc and size are those of all input; crc is used
// for gzip only.
std::string stream_head(Compression compression);
std::string stream_tail(Compression compression, std::uint32_t crc, std::uint64_t size);

std::uint32_t block_crc(std::string_view block);
std::uint32_t joined_crc(std::uint32_t crc, std::uint32_t next_crc, std::uint64_t next_size);

}  // namespace mbuild::image
