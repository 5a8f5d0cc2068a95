#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string_view>

#include "base/digest.h"
#include "graph/graph.h"

// The keys of steps as functions of what was read: see keys.cc for what each is good for.
namespace mbuild::executor {

// By the index of a mount or an action: digest of what is read of its input, "" where that is not known.
using ReadDigests = std::map<std::size_t, Digest>;

// The source, where a step's input is a directory of the user; else null.
const graph::LocalSource* local_source(const graph::Graph& graph, graph::Ref ref);

// Of the whole inputs of a step, in their order: of a snapshot its digest, of a directory of the user what the step
// selects.
Digest inputs_key(std::span<const Digest> inputs);

// The content key of a RUN: `mounts` has what is read of every mount but caches, of the root the whole snapshot.
Digest run_key(const graph::Node& node, const ReadDigests& mounts);

// The content key of a file step. `destination` is the digest of the probe of what it writes to, `copied` has what each
// copy takes; `base` is the whole snapshot below where the probe does not tell all that matters, else "".
Digest files_key(const graph::Node& node, const Digest& destination, const ReadDigests& copied, const Digest& base);

// The content key of a file step as far as it is known without a look at a snapshot: `copied` has what copies take of
// directories of the user, and "" for those from snapshots.
Digest partial_files_key(const graph::Node& node, const ReadDigests& copied);

// False for a file step that has nothing to be probed: files of the user, whose owners are no names, on an empty base.
bool has_to_be_probed(const graph::Graph& graph, const graph::Node& node);

// The result digest of a file step, by that of its layer: see keys.cc.
Digest file_result(const Digest& layer, const graph::FileOp& op, const Digest& key);
// Whether `result` is such a digest of the layer, of whatever kind of step.
bool is_result_of(const Digest& result, const Digest& layer, const Digest& key);

// SnapshotLayer::cause of what the node makes.
Digest cause_of(const graph::Node& node);

// The record of a layer that holds files of the user, for a bind mount: `path` of a context whose files there have this
// digest.
Digest context_layer_key(std::string_view path, const Digest& files);

}  // namespace mbuild::executor
