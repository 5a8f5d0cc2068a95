#include "graph/content_parameters.h"

#include "base/strings.h"

namespace mbuild::graph {

std::string content_parameters(const Node& node) {
  Node same = node;
  if (auto* exec = std::get_if<ExecOp>(&same.op)) {
    for (Mount& mount : exec->mounts) {
      if (!mount.output) mount.selector.clear();
    }
  } else if (auto* file = std::get_if<FileOp>(&same.op)) {
    for (FileAction& action : file->actions) {
      if (action.kind == FileActionKind::copy && !action.parents) action.source = base_name(action.source);
    }
  }
  return canonical_parameters(same);
}

}  // namespace mbuild::graph
