#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/digest.h"
#include "layers/layer_tar.h"

// The result digest of a layer (docs/design.md, section 5).
namespace mbuild::image {

struct LayerSummary {
  Digest result_digest;
  std::uint64_t bytes = 0;                // of file contents, a hard-linked file once
  std::uint64_t entries = 0;              // entries of the layer, implied directories left out
  std::vector<std::string> device_nodes;  // paths, a hard-linked one once
  std::int64_t newest_mtime = 0;          // seconds, of all entries but whiteouts; 0 when there is none
};

// A regular file of a layer of which it is known what it is.
struct KnownFile {
  Digest content;
  Inode inode;
};
using KnownFiles = std::map<std::string, KnownFile>;  // by path

// Digest of the sorted entries: path, type (whiteout and opaque included), mode, uid, gid, size, content, link target,
// xattrs, device numbers, hard-link group; no times. Contents are hashed on `threads` threads (0: one a core), but for
// those of `known`; of these, files with one name are not even looked at.
LayerSummary summarise_layer(const LayerSource& source, unsigned threads = 0, const KnownFiles& known = {});

// The result digest of a layer without entries.
Digest empty_layer_digest();

}  // namespace mbuild::image
