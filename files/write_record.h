#pragma once

#include <map>
#include <set>
#include <string>

#include "layers/layer_digest.h"

namespace mbuild::executor {

// What file actions have written so far, by resolved path.
struct WriteRecord {
  std::set<std::string> paths;
  // Metadata that directories get at the very end, since writing into a directory changes its mtime.
  std::map<std::string, image::Inode> directories;
  // Copied regular files whose content was known before; none that have extended attributes.
  image::KnownFiles files;

  void add_directory(const std::string& path, const image::Inode& inode);
  // Drops what is at and below a path that is removed again.
  void forget(const std::string& path);
};

// Gives the directories of the record their metadata, inner ones first: in `upper` what is there (it may be -1), in
// `root` the rest.
void finish_directories(int root, int upper, const WriteRecord& record, image::OwnerMode owners);

// Removes name in directory and all below it; what is not there is fine.
void remove_tree(int directory, const std::string& name);

}  // namespace mbuild::executor
