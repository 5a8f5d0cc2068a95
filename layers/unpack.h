#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "layers/inode.h"
#include "layers/layer_tar.h"

// From a layer blob to an overlay lower directory.
namespace mbuild::image {

struct UnpackOptions {
  Digest expected_digest;                      // of the blob as it comes; "": not checked
  std::optional<std::uint64_t> expected_size;  // of the blob
  Digest expected_diff_id;                     // of the uncompressed tar; "": not checked
  std::vector<int> lower_dirs;                 // directories of the layers below, top first, for hard links into them
  OwnerMode owners = OwnerMode::real;
  std::vector<EntryVisitor*> visitors;  // see the regular files as they come; of a sparse file, what is before a hole
  std::stop_token stop;
  std::function<void(std::uint64_t)> progress;  // bytes of the blob read so far; called on a thread of its own
};

struct UnpackResult {
  Digest digest;  // of the blob, where one was expected
  Digest diff_id;
  std::uint64_t blob_size = 0;
  std::uint64_t tar_size = 0;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;           // of file contents
  std::vector<std::string> implied;  // implied directories, sorted, relative; "" is the root itself
  bool links_into_lower = false;     // a hard link was resolved in lower_dirs: the result depends on them
};

// Reads a blob (tar, gzip or zstd, told by its content) from its current offset to its end and unpacks it into an
// empty directory. On an error the directory holds part of the layer and is to be thrown away. Never writes outside
// the directory, whatever the tar says. Throws Error (network) where the blob is malformed or not what was expected,
// Error (store) where the disk fails, Cancelled.
UnpackResult unpack_layer(int blob_fd, std::string_view media_type, int destination_dir_fd,
                          const UnpackOptions& options = {});

}  // namespace mbuild::image
