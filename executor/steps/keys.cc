#include "executor/steps/keys.h"

#include <algorithm>
#include <string>

#include "graph/content_parameters.h"

// What a step's result depends on, as digests.
//
// The definition key (planner/plan.h) says what a step is asked to do: its parameters, and the definition keys of what
// it builds on, down to the sources. It is known before anything is read. Together with the digests of the step's whole
// inputs it leads to the record of an earlier run without a look at any file of a snapshot: that is how a build in
// which nothing changed ends after a few queries.
//
// The content key says what a step really reads: the selected files, the files that are mounted, and of a snapshot that
// is only written to no more than decides the outcome (which directories are there, what links lead where, whom a name
// of /etc/passwd means). A record belongs to a content key, so a step is found again although an input changed, where
// nothing changed that it reads. That is the early cut-off: the step has the same result digest as before, so those
// above it have the same inputs as before, and all of them are found without being read.
//
// It is sound because a result digest stands for a result completely, and keys of steps above are made of result
// digests, never of the keys of what made them. So three things have to be in a result digest that its files don't
// show:
// - the times, where a step sets them on purpose. A result digest leaves times out, or every RUN would be a new result.
//   A step that unpacks archives or sets SOURCE_DATE_EPOCH has its content key in the result digest (file_result).
// - the text of a RUN (cause_of). A RUN that is run again and gives the same leaves all below it cached; one whose text
//   was changed does not, though its result be the same: that is how people say that they want everything below run
//   again. It is not in the digest of the layer but in that of the snapshot.
// - where a probe can't tell all that matters, the whole snapshot below (`base` of files_key).
//
// To know a content key costs a mount and a walk, and mostly there is no record for it: an instruction that is new is
// new. The partial key is what is known of it for nothing. Where a partial key was never met, no content key of which
// it is a part can have been, so the one job that runs the step tells the content key afterwards.
namespace mbuild::executor {

const graph::LocalSource* local_source(const graph::Graph& graph, graph::Ref ref) {
  const auto* source = std::get_if<graph::SourceOp>(&graph.nodes[ref.node].op);
  return source == nullptr ? nullptr : std::get_if<graph::LocalSource>(source);
}

Digest inputs_key(std::span<const Digest> inputs) {
  Sha256 hash;
  hash.field("inputs");
  for (const auto& input : inputs) hash.field(input);
  return hash.digest();
}

Digest run_key(const graph::Node& node, const ReadDigests& mounts) {
  Sha256 hash;
  hash.field("exec");
  hash.field(graph::content_parameters(node));
  for (const auto& [index, digest] : mounts) hash.field(digest);
  return hash.digest();
}

Digest files_key(const graph::Node& node, const Digest& destination, const ReadDigests& copied, const Digest& base) {
  Sha256 hash;
  hash.field("files");
  hash.field(graph::content_parameters(node));
  hash.field(destination);
  for (const auto& [index, digest] : copied) hash.field(digest);
  if (!base.empty()) hash.field(base);
  return hash.digest();
}

Digest partial_files_key(const graph::Node& node, const ReadDigests& copied) {
  Sha256 hash;
  hash.field("files in part");
  hash.field(graph::content_parameters(node));
  for (const auto& [index, digest] : copied) hash.field(digest);
  return hash.digest();
}

bool has_to_be_probed(const graph::Graph& graph, const graph::Node& node) {
  const auto& op = std::get<graph::FileOp>(node.op);
  if (op.actions.front().input >= 0) return true;
  return std::ranges::any_of(op.actions, [&](const graph::FileAction& action) {
    if (!action.owner.empty() || action.unpack) return true;
    return action.secondary >= 0 &&
           local_source(graph, node.inputs.at(static_cast<std::size_t>(action.secondary))) == nullptr;
  });
}

Digest file_result(const Digest& layer, const graph::FileOp& op, const Digest& key) {
  for (const auto& action : op.actions) {
    if (action.unpack || action.timestamp) return sha256(layer + key);
  }
  return layer;
}

bool is_result_of(const Digest& result, const Digest& layer, const Digest& key) {
  return result == layer || result == sha256(layer + key);
}

Digest cause_of(const graph::Node& node) {
  return std::holds_alternative<graph::ExecOp>(node.op) ? sha256(graph::content_parameters(node)) : Digest();
}

Digest context_layer_key(std::string_view path, const Digest& files) {
  return sha256("context layer 2\n" + std::string(path) + "\n" + files);
}

}  // namespace mbuild::executor
