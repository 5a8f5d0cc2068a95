#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/digest.h"
#include "image/layer_tar.h"

// The result digest of a layer (docs/design.md, section 5).
namespace mbuild::image {

struct LayerSummary {
  Digest result_digest;
  std::uint64_t bytes = 0;        // of file contents, a hard-linked file once
  std::uint64_t entries = 0;      // entries of the layer, implied directories left out
  std::int64_t newest_mtime = 0;  // seconds, of all entries but whiteouts; 0 when there is none
};

// Digest of the sorted entries: path, type (whiteout and opaque included), mode, uid, gid, size, content, link target,
// xattrs, device numbers, hard-link group; no times. Contents are hashed on `threads` threads (0: one a core), but for
// those that `known` tells (it is called on one thread).
LayerSummary summarise_layer(
    const LayerSource& source, unsigned threads = 0,
    const std::function<std::optional<Digest>(const std::string& path, const Inode&)>& known = {});

// The result digest of a layer without entries.
Digest empty_layer_digest();

}  // namespace mbuild::image
