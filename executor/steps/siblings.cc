#include "executor/steps/siblings.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "executor/steps/step_table.h"
#include "platforms/platform.h"

namespace mbuild::executor {
namespace {

// Of a base image for the host's platform that nothing else needs, the lower layers are enough, up to this many
// compressed bytes: a distribution's programs are there, and to fetch more costs more than it saves.
constexpr std::uint64_t k_most_bytes = std::uint64_t{200} << 20;

bool is_same_instruction(const graph::NodeInfo& a, const graph::NodeInfo& b) {
  return a.target == b.target && a.stage == b.stage && a.file == b.file && a.first_line == b.first_line &&
         a.last_line == b.last_line && a.first_line != 0;
}

}  // namespace

void Siblings::publish(graph::NodeId id, Snapshot result) {
  const std::lock_guard lock(mutex_);
  results_.insert_or_assign(id, std::move(result));
}

std::optional<Snapshot> Siblings::find(graph::NodeId id) {
  auto found = find_in_graph(id);
  return found ? found : base_of(id);
}

std::optional<graph::NodeId> Siblings::sibling_of(graph::NodeId id) const {
  const auto& own = graph_.info[id];
  for (graph::NodeId other = 0; other < graph_.nodes.size(); ++other) {
    const auto& node = graph_.nodes[other];
    if (other == id || !std::holds_alternative<graph::ExecOp>(node.op)) continue;
    if (!node.platform || *node.platform != platforms::host_platform() || graph_.info[other].empty()) continue;
    if (is_same_instruction(own.front(), graph_.info[other].front())) return other;
  }
  return std::nullopt;
}

std::optional<Snapshot> Siblings::find_in_graph(graph::NodeId id) const {
  const auto sibling = sibling_of(id);
  if (!sibling) return std::nullopt;
  const std::lock_guard lock(mutex_);
  for (auto at = base_input(graph_, *sibling); at; at = base_input(graph_, at->node)) {
    const auto found = results_.find(at->node);
    if (found != results_.end() && at->output == 0 && !found->second.layers.empty()) return found->second;
  }
  return std::nullopt;
}

std::string Siblings::base_name(graph::NodeId id) const {
  auto at = base_input(graph_, id);
  while (at && base_input(graph_, at->node)) at = base_input(graph_, at->node);
  if (!at) return "";
  const auto* source = std::get_if<graph::SourceOp>(&graph_.nodes[at->node].op);
  const auto* image = source != nullptr ? std::get_if<graph::ImageSource>(source) : nullptr;
  return image == nullptr ? "" : image->name;
}

std::optional<Snapshot> Siblings::base_of(graph::NodeId id) {
  const auto name = base_name(id);
  if (name.empty()) return std::nullopt;
  const std::lock_guard lock(bases_mutex_);
  if (const auto known = bases_.find(name); known != bases_.end()) return known->second;
  auto& base = bases_[name];
  try {
    LayerList layers;
    std::uint64_t bytes = 0;
    for (const auto& diff_id : images_.resolve_other(name, platforms::host_platform()).config.diff_ids) {
      bytes += images_.layer_descriptor(diff_id).size;
      if (bytes > k_most_bytes) break;
      layers.push_back(std::make_shared<SnapshotLayer>(
          SnapshotLayer{.id = std::string(digest_hex(diff_id)), .result_digest = diff_id, .pulled = true}));
    }
    if (!layers.empty()) base = make_snapshot(std::move(layers));
  } catch (const Error&) {
    // The image is not for the host's platform, or can't be had: all is emulated.
  }
  return base;
}

}  // namespace mbuild::executor
