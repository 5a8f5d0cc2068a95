#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "layers/tar_reader.h"

namespace mbuild::emu {

// The names in an image, as its layers make them one over the other: no contents, nothing on disk. Takes the entries of
// layers, bottom layer first, as they come in their tars.
class FileTree {
 public:
  enum class Type { directory, link, other };
  struct Node {
    Type type = Type::other;
    std::string target;     // link
    std::size_t layer = 0;  // that the entry came with
  };

  // Adds an entry of the layer `layer` and returns its path in the tree ("usr/bin/x": links on the way are followed),
  // or nothing for a whiteout. Throws Error (network) for a path that leads out of the image.
  std::optional<std::string> add(const image::TarEntry& entry, std::size_t layer);
  // To be called after the last entry of each layer: its whiteouts take effect on the layers below.
  void end_layer(std::size_t layer);

  // The node that an absolute path leads to, all links followed; nullptr where it leads nowhere.
  const Node* find(std::string_view path) const;
  // The node of a path as add() returned it, not followed.
  const Node* at(const std::string& path) const;

 private:
  std::optional<std::string> resolve(std::string_view path, bool last) const;
  void remove_below(const std::string& path, std::size_t layer);

  std::map<std::string, Node> nodes_;
  std::set<std::string> whiteouts_, opaque_;  // of the present layer
};

}  // namespace mbuild::emu
