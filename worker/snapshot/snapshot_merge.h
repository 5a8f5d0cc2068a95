#pragma once

#include <set>
#include <string>
#include <vector>

#include "worker/snapshot/snapshot_mount.h"

// Snapshots without mounts: where the host allows no user namespaces or no overlay on the store's file system.
//
// A snapshot is then merged into a directory of its own, whose files are hard links to those of its layers: it costs
// its directories and names. What file actions do to it leaves the layers alone, since they replace files and never
// write into one. What they made is moved into the layer afterwards; they remove nothing that would need a whiteout.
namespace mbuild::executor {

// Fills the empty directory `into`, on the file system of the layers, with what the snapshot shows. Throws Error.
void merge_snapshot(const Stack& stack, const std::string& into);

// Moves what was made at `made` (resolved paths, as of ApplyResult) from the merged directory to the empty directory
// `upper`, with the directories that lead there; the root gets the metadata of the merged one. Throws Error (store).
void move_changes(const std::string& merged, const std::set<std::string>& made, const std::string& upper);

}  // namespace mbuild::executor
