#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "layers/inode.h"

// The sorted walk of a tree that everything else in the layer pipeline is built on.
namespace mbuild::image {

struct WalkEntry {
  const std::string& path;  // relative to the root of the walk: "usr/bin/env"
  const std::string& name;  // last component
  int parent;               // descriptor of the directory that holds it
  const Inode& inode;
};

// Calls `visit` for each entry below `root` (not for the root): a directory before what it holds, in a directory
// whiteouts first, then by byte order of the names. Links are not followed. Where `known` gives an inode (of no
// directory), the file is not asked. Throws Error (store).
void walk_tree(int root, OwnerMode owners, const std::function<void(const WalkEntry&)>& visit,
               const std::function<const Inode*(const std::string& path)>& known = {});

// The names in a directory, unsorted, without "." and "..".
std::vector<std::string> names_in_directory(int directory);

// Opens a relative path of any length whose directories are known to be no links ("" is the root itself).
Fd open_below(int root, const std::string& path, int flags);

}  // namespace mbuild::image
