#pragma once

#include "executor/select.h"
#include "executor/stat_cache.h"

namespace mbuild::executor {

// Digest of all that a copy takes over: names as they land, types, modes, owners, link targets, device numbers, file
// capabilities, contents and hard links; no mtimes. Contents are read on up to `threads` threads, unless `cache` knows
// them. A file that was changed since the selection is taken as it is now, and its entry brought up to date. Throws
// Error (step_failed) when a file keeps changing, or is gone.
Digest selection_digest(Selection& selection, const StatCache& cache, unsigned threads);

// What a bind mount of `selector` (a path in the tree; links are followed) shows: one source. Throws Error
// (step_failed,
// `"/x": not found`) when it is not there.
Selection select_tree(const Tree& tree, const std::string& selector);
// The digest of that.
Digest tree_digest(Selection& shown, const StatCache& cache, unsigned threads);

}  // namespace mbuild::executor
