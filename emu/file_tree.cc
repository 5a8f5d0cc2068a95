#include "emu/file_tree.h"

#include <fmt/format.h>

#include <deque>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::emu {
namespace {

constexpr int k_max_links = 40;
constexpr std::string_view k_whiteout = ".wh.";
constexpr std::string_view k_opaque = ".wh..wh..opq";
constexpr std::string_view k_metadata = ".wh..wh.";

std::string joined(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

}  // namespace

std::optional<std::string> FileTree::add(const image::TarEntry& entry, std::size_t layer) {
  for (const auto& part : split(entry.path, '/')) {
    if (part == "..") throw Error(ExitClass::network, fmt::format("the entry {} leads out of the image", entry.path));
  }
  const std::string path = clean_path("/" + entry.path).substr(1);
  if (path.empty()) return path;
  const auto slash = path.rfind('/');
  const auto directory =
      slash == std::string::npos ? std::optional<std::string>("") : resolve(path.substr(0, slash), true);
  if (!directory) throw Error(ExitClass::network, fmt::format("the entry {} is below a link to nowhere", entry.path));
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (name == k_opaque) {
    opaque_.insert(*directory);
    return std::nullopt;
  }
  if (name.starts_with(k_metadata)) return std::nullopt;
  if (name.starts_with(k_whiteout)) {
    whiteouts_.insert(joined(*directory, name.substr(k_whiteout.size())));
    return std::nullopt;
  }
  const std::string own = joined(*directory, name);
  Node node{.layer = layer};
  if (entry.type == '5') {
    node.type = Type::directory;
  } else {
    remove_below(own, layer + 1);
    if (entry.type == '2') {
      node.type = Type::link;
      node.target = entry.link_target;
    }
  }
  nodes_[own] = std::move(node);
  return own;
}

void FileTree::end_layer(std::size_t layer) {
  for (const auto& path : whiteouts_) {
    if (const auto found = nodes_.find(path); found != nodes_.end() && found->second.layer < layer) nodes_.erase(found);
    remove_below(path, layer);
  }
  for (const auto& path : opaque_) remove_below(path, layer);
  whiteouts_.clear();
  opaque_.clear();
}

// Everything below a path that came with a layer before `layer`.
void FileTree::remove_below(const std::string& path, std::size_t layer) {
  const std::string prefix = path.empty() ? "" : path + "/";
  for (auto it = nodes_.lower_bound(prefix); it != nodes_.end() && it->first.starts_with(prefix);) {
    it = it->second.layer < layer ? nodes_.erase(it) : std::next(it);
  }
}

const FileTree::Node* FileTree::at(const std::string& path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

const FileTree::Node* FileTree::find(std::string_view path) const {
  const auto found = resolve(path, true);
  return found ? at(*found) : nullptr;
}

// Follows links within the tree; components that are not there stay as they are. Nothing for a loop.
std::optional<std::string> FileTree::resolve(std::string_view path, bool last) const {
  std::deque<std::string> rest;
  const auto put_first = [&](std::string_view text) {
    const auto parts = split(text, '/');
    rest.insert(rest.begin(), parts.begin(), parts.end());
  };
  put_first(path);
  std::string here;
  for (int links = 0; !rest.empty();) {
    const std::string part = std::move(rest.front());
    rest.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      const auto slash = here.rfind('/');
      here = slash == std::string::npos ? "" : here.substr(0, slash);
      continue;
    }
    const std::string next = joined(here, part);
    const auto* node = at(next);
    if (node == nullptr || node->type != Type::link || (rest.empty() && !last)) {
      here = next;
      continue;
    }
    if (++links > k_max_links) return std::nullopt;
    if (node->target.starts_with('/')) here.clear();
    put_first(node->target);
  }
  return here;
}

}  // namespace mbuild::emu
