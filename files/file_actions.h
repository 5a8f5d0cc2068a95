#pragma once

#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "files/copy.h"
#include "files/owner.h"
#include "files/select.h"
#include "graph/graph.h"

namespace mbuild::executor {

struct ApplyOptions {
  image::OwnerMode owners = image::OwnerMode::real;
  unsigned threads = 1;
  std::stop_token stop;
  int upper = -1;                     // see CopyTarget
  const OlderLayer* older = nullptr;  // see CopyTarget
};

struct ApplyResult {
  // Resolved paths that were made or whose content or metadata was set. A directory that was only walked
  // through or copied into is not among them, nor is what an rm action removed.
  std::set<std::string> paths;
  // See WriteRecord; empty when there is more than one action.
  image::KnownFiles files;
  // Entries of selections of contexts that had changed.
  std::vector<ReadAnew> read_anew;
};

// An archive was written to while it was unpacked: what is in the root is of no use, and a copy of the archive has to
// be unpacked instead (SelectedSource::own_copy).
struct ArchiveChanged {};

// True when the file of this source may not be what was selected.
bool may_have_changed(const Tree& tree, const SelectedSource& source);

// Applies `actions` in order to the directory `root` (a descriptor). selections[i] belongs to actions[i], and matters
// for a copy. Names of owners are looked up in `root`, as it is before the action. Directories that are made get the
// action's timestamp as mtime, else 0 (a copied directory has that of its source), so that equal inputs make equal
// layers. Throws Error (step_failed) for what the actions ask and the file systems do not allow; `root` is then in
// between and of no use. Throws ArchiveChanged, too.
ApplyResult apply_file_actions(int root, std::span<const graph::FileAction> actions,
                               std::span<const Selection> selections, const ApplyOptions& options);

// The owner an action gives: nothing when it names none. Throws Error (step_failed).
std::optional<Owner> action_owner(const graph::FileAction& action, int root);

}  // namespace mbuild::executor
