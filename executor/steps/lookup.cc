#include "executor/steps/lookup.h"

#include <utility>

#include "emu/emulator.h"
#include "executor/steps/layer_fetcher.h"

namespace mbuild::executor {

std::shared_ptr<const SnapshotLayer> as_result(const cache::Layer& layer, const graph::Graph& graph, graph::NodeId id,
                                               std::int64_t created, std::shared_ptr<const HeldLayer> held) {
  return std::make_shared<SnapshotLayer>(SnapshotLayer{.id = layer.id,
                                                       .result_digest = layer.result_digest,
                                                       .cause = cause_of(graph.nodes[id]),
                                                       .pulled = false,
                                                       .created = created,
                                                       .made_by = id,
                                                       .imported = {},
                                                       .held = std::move(held)});
}

bool StepLookup::find_by_inputs(graph::NodeId id) {
  if (ignores_cache(id)) return false;
  const auto& definition = parts_.plan.definition_keys[id];
  const auto& inputs = parts_.table.traces[id].inputs;
  if (const auto key = parts_.store.find_definition(definition, inputs); key && use_record(id, *key)) return true;
  const auto key = parts_.imports.find_definition(definition, inputs);
  return key && use_import(id, *key);
}

bool StepLookup::find_by_content(graph::NodeId id, const Digest& key) {
  bool may_use = !ignores_cache(id);
  {
    const std::lock_guard guard(mutex_);
    may_use = may_use || ran_.contains(key);
  }
  return may_use && (use_record(id, key) || use_import(id, key));
}

void StepLookup::ran(const Digest& key) {
  const std::lock_guard guard(mutex_);
  ran_.insert(key);
}

bool StepLookup::seems_unknown(graph::NodeId id, const Digest& partial) {
  if (partial.empty()) return false;
  return ignores_cache(id) || (parts_.imports.none() && !parts_.store.knows_partial_key(partial));
}

cache::FileLock StepLookup::lock_unknown(graph::NodeId id, const Digest& partial, const std::stop_token& stop) {
  auto lock = parts_.store.lock_step(partial, stop);
  {
    const std::lock_guard guard(mutex_);
    if (!ran_.insert(partial).second) return {};
  }
  if (!ignores_cache(id) && parts_.store.knows_partial_key(partial)) return {};
  return lock;
}

bool StepLookup::is_unwanted(const std::string& emulator) const {
  return emu::native_use(emulator) > parts_.native_use;
}

bool StepLookup::use_record(graph::NodeId id, const Digest& key) {
  const auto record = parts_.store.find_record(key);
  if (!record || record->layers.empty() || is_unwanted(record->emulator)) return false;
  const auto* layer = parts_.layers.find(record->layers.front());
  auto held = layer == nullptr ? parts_.workers.find(record->layers.front()) : nullptr;
  auto& trace = parts_.table.traces[id];
  trace.evicted = layer == nullptr && held == nullptr;
  if (trace.evicted) return false;
  trace.key = key;
  trace.kept = true;
  if (held) {
    cache::Layer there = held->layer;
    if (const auto* op = std::get_if<graph::FileOp>(&parts_.table.graph.nodes[id].op))
      there.result_digest = file_result(there.result_digest, *op, key);
    parts_.table.set_result(id, as_result(there, parts_.table.graph, id, record->created, std::move(held)));
  } else {
    parts_.table.set_result(id, as_result(*layer, parts_.table.graph, id, record->created));
  }
  return true;
}

bool StepLookup::use_import(graph::NodeId id, const Digest& key) {
  const auto hit = parts_.imports.find_step(key);
  if (!hit || is_unwanted(hit->step.emulator)) return false;
  auto& trace = parts_.table.traces[id];
  trace.key = key;
  trace.kept = true;
  SnapshotLayer layer{.id = std::string(digest_hex(hit->step.result).substr(0, 32)),
                      .result_digest = hit->step.result,
                      .cause = cause_of(parts_.table.graph.nodes[id]),
                      .pulled = false,
                      .created = hit->step.created,
                      .made_by = id};
  if (const auto* local = parts_.layers.find_by_result(hit->step.result)) {
    layer.id = local->id;
    keep_import(parts_.store, parts_.plan, parts_.table, id, hit->step, *local);
  } else {
    layer.imported = hit->layer;
  }
  parts_.table.set_result(id, std::make_shared<const SnapshotLayer>(std::move(layer)));
  return true;
}

}  // namespace mbuild::executor
