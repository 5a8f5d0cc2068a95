#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "layers/layer_tar.h"

// From a layer directory to a compressed blob, in one pass on several threads.
namespace mbuild::image {

enum class Compression { none, gzip, zstd };
// "gzip", as outputs and the index spell it.
std::string_view compression_name(Compression compression);

struct SerialiseOptions {
  Compression compression = Compression::gzip;
  std::optional<int> level;  // gzip 0..9, zstd 0..22 (0 is zstd's default); none: fast, by ISA-L or zstd 3
  unsigned threads = 0;      // that compress; 0: one a core. The bytes do not depend on it
  std::vector<EntryVisitor*> visitors;
  std::stop_token stop;
};

struct Serialisation {
  Digest diff_id;                       // of the tar
  Digest digest;                        // of what was written
  std::uint64_t size = 0;               // of what was written
  std::uint64_t uncompressed_size = 0;  // of the tar
};

// Writes the layer's blob to out_fd (a file or a pipe), front to back. Throws what write_layer_tar and writing throw.
Serialisation serialise_layer(const LayerSource& source, int out_fd, const SerialiseOptions& options = {});

// The same tar in another compression: what is read from in_fd (gzip, zstd or a bare tar) is written to out_fd.
// Visitors see nothing of it. The caller compares the diff id.
Serialisation recompress_blob(int in_fd, int out_fd, const SerialiseOptions& options = {});

}  // namespace mbuild::image
