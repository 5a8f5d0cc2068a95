#include "layers/layer_stack.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <deque>
#include <vector>

#include "base/strings.h"
#include "layers/inode.h"
#include "layers/layer_walk.h"

namespace mbuild::image {
namespace {

constexpr int k_max_links_followed = 255;

// What one name is in a merged directory.
struct Found {
  std::vector<int> layers;  // several for a merged directory, one otherwise, none when it is not there
  Inode inode;              // of the topmost
};

Found look(const std::vector<int>& layers, const std::string& directory, const std::string& name) {
  Found found;
  for (const int layer : layers) {
    const Fd parent = open_below(layer, directory, O_PATH | O_DIRECTORY);
    struct stat status;
    if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    Inode inode = read_inode(parent.get(), name);
    const bool is_directory = inode.type == FileType::directory;
    if (inode.type == FileType::whiteout) break;
    if (!is_directory && !found.layers.empty()) break;
    found.layers.push_back(layer);
    const bool opaque = inode.opaque;
    if (found.layers.size() == 1) found.inode = std::move(inode);
    if (!is_directory || opaque) break;
  }
  return found;
}

}  // namespace

std::optional<StackedFile> find_in_stack(std::span<const int> layers, const std::string& path) {
  const std::vector<int> all(layers.begin(), layers.end());
  std::deque<std::string> rest;
  for (std::string& part : split(path, '/')) rest.push_back(std::move(part));

  // The directories that lead to the present one: what overlay merges at each.
  std::vector<std::pair<std::string, std::vector<int>>> trail = {{"", all}};
  for (int links = 0; !rest.empty();) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (trail.size() > 1) trail.pop_back();
      continue;
    }
    const auto& [directory, merged] = trail.back();
    Found found = look(merged, directory, name);
    if (found.layers.empty()) return std::nullopt;
    std::string here = directory.empty() ? name : directory + "/" + name;
    if (rest.empty()) return StackedFile{found.layers.front(), std::move(here)};
    if (found.inode.type == FileType::directory) {
      trail.emplace_back(std::move(here), std::move(found.layers));
    } else if (found.inode.type == FileType::symlink && ++links <= k_max_links_followed) {
      if (found.inode.link_target.starts_with('/')) trail.resize(1);
      std::vector<std::string> target = split(found.inode.link_target, '/');
      rest.insert(rest.begin(), target.begin(), target.end());
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace mbuild::image
