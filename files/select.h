#pragma once

#include <string>
#include <vector>

#include "base/codec.h"
#include "files/tree.h"
#include "graph/graph.h"

namespace mbuild::executor {

// One source of a copy: what a literal path or one hit of a wildcard names.
struct SelectedSource {
  std::string name;                // its last component before links were followed: the name it lands under
  std::string path;                // resolved, in the tree
  std::vector<TreeEntry> entries;  // never empty; entries[0] is the source itself
  Unsent<int> own_copy = {-1};     // of a file: what is read in its place, since others may write to it
};

struct Selection {
  Tree tree;
  std::vector<SelectedSource> sources;  // in the order in which they are copied; none: a wildcard without hits
};

// What a copy action reads from `tree`: wildcards, the tree's ignore patterns, the action's exclude patterns, --parents
// and links of the source are all resolved here. No file is opened. Throws Error (step_failed) for a literal source
// that is not there, and for a malformed pattern.
Selection select(const Tree& tree, const graph::FileAction& action);

// path.Match of Go, for one component: * ? [a-z] [^a-z] and \. Throws Error (step_failed) for a malformed pattern.
bool match_component(std::string_view pattern, std::string_view name);
// True when a component needs match_component.
bool has_wildcard(std::string_view component);

}  // namespace mbuild::executor
