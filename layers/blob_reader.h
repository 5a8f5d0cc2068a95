#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/digest.h"

// A blob as it comes, and the bytes that are compressed in it.
namespace mbuild::image {

struct BlobFacts {
  Digest digest;  // of the blob as it is
  std::uint64_t size = 0;
};

// Reads and decompresses on a thread of its own, a few megabytes ahead. gzip (all members), zstd (all frames) and
// uncompressed data are told apart by their first bytes.
class BlobReader {
 public:
  // Without `hash` the facts have no digest.
  BlobReader(int fd, bool hash, std::stop_token stop, std::function<void(std::uint64_t)> progress);
  ~BlobReader();  // also wakes a thread that waits for input

  // The next decompressed bytes, valid until the next call; empty at the end. Throws Error (network) for broken data,
  // Cancelled.
  std::string_view next();
  // Reads what is left of the blob; what can't be decompressed is no error here.
  void read_to_end();
  // After the end: what was read.
  BlobFacts facts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mbuild::image
