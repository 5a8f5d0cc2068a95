#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "layers/inode.h"

// From a layer directory to a tar stream: pax format, entries sorted, the same bytes for the same directory.
namespace mbuild::image {

// Changes when the same directory would give other tar bytes.
inline constexpr int k_layer_format_version = 1;

struct LayerSource {
  int directory = -1;
  std::vector<std::string> implied;         // sorted relative directories that exist but are no entry of the layer
  std::optional<std::int64_t> clamp_mtime;  // seconds; later file times become this
  OwnerMode owners = OwnerMode::real;
};

// Sees the entries of a layer while its tar is written, in order and on one thread. A further name of a hard-linked
// file comes without data.
class EntryVisitor {
 public:
  virtual ~EntryVisitor() = default;
  // `path` is relative, without a leading "./".
  virtual void begin_entry(const std::string& path, const Inode& inode) = 0;
  virtual void data(std::string_view bytes) = 0;
  virtual void end_entry() = 0;
};

// Writes the whole tar (with its end mark) to `sink`, in pieces of any size. The root directory itself is no entry.
// A piece is valid during the call only. Throws Error (store) when the directory can't be read, Cancelled.
void write_layer_tar(const LayerSource& source, const std::function<void(std::string_view)>& sink,
                     std::span<EntryVisitor* const> visitors = {}, const std::stop_token& stop = {});

// One tree of a tar of several: its entries are placed below `prefix` ("" or "linux_amd64", whose directory is made).
struct PrefixedSource {
  std::string prefix;
  LayerSource source;
};
void write_trees_tar(std::span<const PrefixedSource> trees, const std::function<void(std::string_view)>& sink,
                     const std::stop_token& stop = {});

}  // namespace mbuild::image
