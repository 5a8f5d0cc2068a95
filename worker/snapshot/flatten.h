#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "worker/snapshot/snapshot_mount.h"

// Bundles: consecutive layers of a long snapshot merged into one directory.
//
// Overlay mounts a bounded number of lower directories, and every one more makes each look-up slower. So the older
// layers of a long snapshot are mounted as *bundles*: directories that overlay shows just as it shows the layers that
// they were made of, over the layers below that they were made for. Files are hard links to those of the layers, so a
// bundle costs its directories only. It is never exported and enters no key; it is made when a mount needs it and may
// go at any time.
namespace mbuild::executor {

struct Flattened {
  std::vector<std::string> implied;  // sorted; as in LayerDir
  std::uint64_t entries = 0;         // without the root
  std::uint64_t directories = 0;     // with it
};

// Merges the layers of `stack`, which lie on those of `below`, into `into`, an empty directory on the same file system.
// As a job of the inner process: it makes whiteouts and gives directories owners. Throws Error (store).
Flattened flatten(const Stack& stack, const Stack& below, const std::string& into);

// A part of a list of layers: [first, first + count).
struct Bundle {
  std::size_t first = 0, count = 0;
  bool operator==(const Bundle&) const = default;
};

// A stack of up to this many layers is mounted as it is.
inline constexpr std::size_t k_flatten_above = 64;
// A bundle is made of this many layers, or of this many bundles.
inline constexpr std::size_t k_bundle_length = 32;

// How a stack of `count` layers is mounted: parts from the bottom up, each of k_bundle_length^n layers. A layer more
// leaves the parts below as they are, so that over a chain of steps each layer is merged once for each n. Up to
// k_bundle_length^3 layers give fewer parts than overlay takes.
std::vector<Bundle> bundles_of(std::size_t count);

}  // namespace mbuild::executor
