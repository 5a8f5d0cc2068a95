#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "layers/inode.h"
#include "layers/tar_reader.h"

namespace mbuild::image {

// A hard link leads to a file that neither this layer nor one of those given as lower has.
class MissingLinkTarget : public Error {
 public:
  using Error::Error;
};

// Puts the entries of a layer's tar into a directory, as an overlay lower directory. The entries are not trusted: see
// layer_writer.cc.
class LayerWriter {
 public:
  // `root` is an empty directory that nobody else changes; `lower`: the layers below, top first.
  LayerWriter(int root, OwnerMode owners, std::vector<int> lower)
      : root_(root), owners_(owners), lower_(std::move(lower)) {}

  // Throws Error: (network) where the entry makes no sense, (store) where it can't be written.
  void add(const TarEntry& entry, const std::function<TarPiece()>& content);
  // To be called once, after the last entry: gives directories their modes and times. Returns the implied directories.
  std::vector<std::string> finish();

  std::uint64_t bytes() const { return bytes_; }
  bool links_into_lower() const { return links_into_lower_; }

 private:
  struct Directory {
    bool implied = true;
    std::uint32_t mode = 0755;
    std::int64_t mtime_sec = 0;
    std::uint32_t mtime_nsec = 0;
  };
  struct Place {
    int parent;        // valid until the next entry
    std::string name;  // in parent
    std::string path;  // the same, from the root, without links in it
  };
  using Components = std::vector<std::string>;

  Place place(const Components& components);
  bool find_parent(Components components, bool make, Fd& parent, std::string& path);
  Fd enter(const Fd& from, const std::string& name, const std::string& path, bool make);
  Fd make_implied(const Fd& parent, const std::string& name, const std::string& path);

  void root_entry(const TarEntry& entry);
  void directory(const TarEntry& entry, const Place& at);
  void regular(const TarEntry& entry, const Place& at, const std::function<TarPiece()>& content);
  void special(const TarEntry& entry, const Place& at);
  void hard_link(const TarEntry& entry, const Place& at);
  void link_to(int parent, const std::string& name, const Place& at);
  void link_into_lower(const TarEntry& entry, const Components& target, const Place& at);
  void copy_from(int source_parent, const std::string& source_name, const Inode& inode, const Place& at);
  void apply_link_metadata(const TarEntry& entry, const Place& at);
  void whiteout(const Components& components);

  void clear(const Place& at);
  Inode inode_of(const TarEntry& entry, FileType type) const;

  const int root_;
  const OwnerMode owners_;
  const std::vector<int> lower_;
  std::map<std::string, Directory> directories_;  // all but the root
  Directory root_directory_;
  std::set<std::string> deleted_;         // paths that this layer has whiteouts for
  std::set<std::string> with_whiteouts_;  // directories that are marked as having some
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::pair<std::string, std::uint64_t>>
      copied_;             // lower file -> path, inode
  Components parent_key_;  // what parent_ was found for
  Fd parent_;
  std::string parent_path_;
  std::uint64_t bytes_ = 0;
  bool links_into_lower_ = false;
};

}  // namespace mbuild::image
