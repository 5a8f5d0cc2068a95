#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "files/tree.h"

namespace mbuild::executor {

// Writes what is at and below the resolved path `start` of a tree as a tar, in pieces of any size, each valid during
// the call only. In the tar it is called `name`; with "" what is in the directory stands at the top, and a file is left
// out. Sockets and device nodes are left out, and so are extended attributes. Of a file that changes meanwhile as many
// bytes are written as it had. Throws Error (store) for what can't be read.
void write_tree_tar(const Tree& tree, const std::string& start, const std::string& name,
                    const std::function<void(std::string_view)>& sink);

}  // namespace mbuild::executor
