#pragma once

#include <string>

#include "graph/graph.h"

namespace mbuild::graph {

// canonical_parameters() without the places of files that are keyed by their content: selectors of mounts that have no
// output, and all but the last component of what is copied, which may name the copy.
std::string content_parameters(const Node& node);

}  // namespace mbuild::graph
