#pragma once

#include <set>

#include "files/select.h"
#include "files/stat_cache.h"

namespace mbuild::executor {

// Digest of all that a copy takes over: names as they land, types, modes, owners, link targets, device numbers, file
// capabilities, contents and hard links; no mtimes. Contents are read on up to `threads` threads, unless `cache` knows
// them. A file of a context that was changed since the selection is taken as it is now, and its entry brought up to
// date; one that is gone is left out. Throws Error (step_failed) when a file can't be read in one piece, or nothing is
// left.
Digest selection_digest(Selection& selection, const StatCache& cache, unsigned threads);
// The same of entries whose contents have been read; nothing is read.
Digest digest_of_read(const Selection& selection);
// Leaves these entries out. Throws Error (step_failed, `"/x": not found`) when nothing is left.
void leave_out(Selection& selection, const std::set<const TreeEntry*>& gone);

// What a bind mount of `selector` (a path in the tree; links are followed) shows: one source. Throws Error
// (step_failed, `"/x": not found`) when it is not there.
Selection select_tree(const Tree& tree, const std::string& selector);
// The digest of that, as selection_digest; the mode of a context's root is not in it.
Digest tree_digest(Selection& shown, const StatCache& cache, unsigned threads);
Digest digest_of_read_tree(const Selection& shown);

}  // namespace mbuild::executor
