// What makes a bundle show what its layers show
//
// Overlay looks a name up from the top. The first layer that has it decides: a whiteout or a file ends the search; a
// directory is merged with the directories of that name below, up to an opaque one, a whiteout or a file. In the bundle
// there stands
//   - for a whiteout a whiteout if the layers under the bundle have its directory, else nothing: overlay hides
//   whiteouts
//     in directories that it merges only, and shows those of others as devices,
//   - for a file a hard link to it: hard-link groups, attributes and owners stay as they are,
//   - for a directory a new one, opaque if the search ended within the bundle before its lowest layer did.
// The metadata of a directory are those of the topmost layer that has an entry for it. If no layer of the bundle has
// one (it is implied in all), it is implied in the bundle too; then what counts is further down. (snapshot_mount.h)
#include "worker/snapshot/flatten.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "base/error.h"
#include "layers/inode.h"
#include "layers/layer_walk.h"

namespace mbuild::executor {
namespace {

constexpr int k_directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

bool is_opaque(int directory) {
  char value = 0;
  return ::fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

Error flatten_error(int code, const std::string& path) {
  Error error = system_error(code, "merge " + path);
  if (code == EMLINK) error.advice = "The file has as many links as its file system allows: run `mbuild prune`.";
  return error;
}

class Merge {
 public:
  Merge(const Stack& stack, const Stack& below, const std::string& into) : into_(open_file(into, k_directory_flags)) {
    for (auto layer = below.layers.rbegin(); layer != below.layers.rend(); ++layer) {
      below_.push_back(open_file(layer->path, k_directory_flags));
    }
    for (auto layer = stack.layers.rbegin(); layer != stack.layers.rend(); ++layer) {
      layers_.push_back({open_file(layer->path, k_directory_flags), {layer->implied.begin(), layer->implied.end()}});
    }
  }

  Flattened run() {
    Directory root;
    for (std::size_t i = 0; i < layers_.size(); ++i) root.from.push_back(i);
    for (std::size_t i = 0; i < below_.size(); ++i) root.below.push_back(i);
    directory(root);
    std::sort(out_.implied.begin(), out_.implied.end());
    return std::move(out_);
  }

 private:
  struct Layer {
    Fd root;
    std::set<std::string> implied;
  };
  struct Directory {
    std::string path;
    std::vector<std::size_t> from;   // layers that have it, top first
    std::vector<std::size_t> below;  // of those under the bundle, what overlay merges with it
  };

  // Merges a directory of the layers into the one that was made for it.
  void directory(const Directory& at) {
    ++out_.directories;
    for (const auto& inner : entries(at)) directory(inner);
    // Last, because making entries changes times, and a mode may shut the directory.
    const auto own = std::find_if(at.from.begin(), at.from.end(),
                                  [&](std::size_t layer) { return !layers_[layer].implied.contains(at.path); });
    if (own == at.from.end()) out_.implied.push_back(at.path);
    const std::size_t shown = own == at.from.end() ? at.from.front() : *own;
    copy_directory_metadata(image::open_below(layers_[shown].root.get(), at.path, k_directory_flags).get(),
                            image::open_below(into_.get(), at.path, k_directory_flags).get());
  }

  // Makes all entries of a directory, and returns the directories among them. Its descriptors are closed then, so that
  // a deep tree needs no more of them than a flat one.
  std::vector<Directory> entries(const Directory& at) {
    const Fd target = image::open_below(into_.get(), at.path, k_directory_flags);
    std::map<std::size_t, Fd> sources;
    std::map<std::string, std::vector<std::size_t>> names;
    for (const std::size_t layer : at.from) {
      const auto& source = sources[layer] = image::open_below(layers_[layer].root.get(), at.path, k_directory_flags);
      for (auto& name : image::names_in_directory(source.get())) names[std::move(name)].push_back(layer);
    }
    std::vector<Directory> found;
    for (const auto& [name, layers] : names) {
      Directory inner{.path = at.path.empty() ? name : at.path + "/" + name, .from = {}, .below = {}};
      const bool opaque = entry(target.get(), sources, at, name, layers, inner);
      if (inner.from.empty()) continue;
      if (!opaque) inner.below = merged_below(at, name);
      found.push_back(std::move(inner));
    }
    return found;
  }

  // Makes one entry. For a directory fills in the layers that are merged in it, and tells whether it is opaque.
  bool entry(int target, const std::map<std::size_t, Fd>& sources, const Directory& at, const std::string& name,
             const std::vector<std::size_t>& layers, Directory& inner) {
    bool opaque = false;
    for (const std::size_t layer : layers) {
      const int source = sources.at(layer).get();
      struct stat status;
      if (::fstatat(source, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) throw flatten_error(errno, inner.path);
      if (!S_ISDIR(status.st_mode)) {
        opaque = !inner.from.empty();
        if (!opaque) place(source, target, inner.path, name, status, !at.below.empty());
        break;
      }
      inner.from.push_back(layer);
      opaque = is_opaque(open_at(source, name, k_directory_flags).get());
      if (opaque) break;
    }
    ++out_.entries;
    if (!inner.from.empty() && ::mkdirat(target, name.c_str(), 0700) < 0) throw flatten_error(errno, inner.path);
    if (opaque) image::make_opaque(target, name);
    return opaque;
  }

  // What overlay merges below the bundle for an entry `name` of a directory that is not opaque.
  std::vector<std::size_t> merged_below(const Directory& at, const std::string& name) const {
    std::vector<std::size_t> merged;
    for (const std::size_t layer : at.below) {
      const Fd parent = image::open_below(below_[layer].get(), at.path, k_directory_flags);
      struct stat status;
      if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
      if (!S_ISDIR(status.st_mode)) break;
      merged.push_back(layer);
      if (is_opaque(open_at(parent.get(), name, k_directory_flags).get())) break;
    }
    return merged;
  }

  static void place(int source, int target, const std::string& path, const std::string& name, const struct stat& status,
                    bool may_hide) {
    const bool is_whiteout = S_ISCHR(status.st_mode) && status.st_rdev == 0;
    if (is_whiteout && !may_hide) return;
    // Whiteouts are made anew: overlay links all that it makes to a few inodes, which could take no more links.
    const int done = is_whiteout ? ::mknodat(target, name.c_str(), S_IFCHR, 0)
                                 : ::linkat(source, name.c_str(), target, name.c_str(), 0);
    if (done < 0) throw flatten_error(errno, path);
  }

  Fd into_;
  std::vector<Layer> layers_;  // top first
  std::vector<Fd> below_;      // top first
  Flattened out_;
};

}  // namespace

Flattened flatten(const Stack& stack, const Stack& below, const std::string& into) {
  return Merge(stack, below, into).run();
}

std::vector<Bundle> bundles_of(std::size_t count) {
  std::vector<Bundle> bundles;
  if (count <= k_flatten_above) {
    for (std::size_t i = 0; i < count; ++i) bundles.push_back({i, 1});
    return bundles;
  }
  std::size_t size = 1;
  while (size <= count / k_bundle_length) size *= k_bundle_length;
  for (std::size_t first = 0; size > 0; size /= k_bundle_length) {
    for (; first + size <= count; first += size) bundles.push_back({first, size});
  }
  return bundles;
}

}  // namespace mbuild::executor
