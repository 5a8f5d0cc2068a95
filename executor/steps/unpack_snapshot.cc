#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <unordered_set>

#include "base/crash_point.h"
#include "base/error.h"
#include "executor/steps/steps.h"
#include "layers/layer_digest.h"
#include "worker/snapshot/flatten.h"

// Snapshots as directories that can be mounted: pulled layers are unpacked (step_pull.cc), older ones of long snapshots
// flattened.
namespace mbuild::executor {

// What this build has seen stays where it is until it ends (cache/store.h), so the store is asked once for each layer.
const cache::Layer* Steps::find_layer(const std::string& id) {
  {
    const std::lock_guard guard(mutex_);
    if (const auto known = layers_.find(id); known != layers_.end()) return &known->second;
  }
  auto layer = environment_.store.find_layer(id);
  return layer ? &remember(std::move(*layer)) : nullptr;
}

const cache::Layer& Steps::remember(cache::Layer layer) {
  const std::lock_guard guard(mutex_);
  std::string id = layer.id;
  return layers_.try_emplace(std::move(id), std::move(layer)).first->second;
}

const cache::Layer& Steps::add_layer(cache::Layer layer) {
  crash_point("layer-named");
  try {
    environment_.store.add_layer(layer);
  } catch (const Error&) {
    environment_.remove_later(environment_.store.layer_path(layer.id));  // it would take space for nothing
    throw;
  }
  crash_point("layer-row");
  return remember(std::move(layer));
}

Stack Steps::unpacked(const Snapshot& snapshot, std::stop_token stop) {
  static const Digest k_empty = image::empty_layer_digest();
  unpack_missing(snapshot, stop);
  std::vector<const cache::Layer*> all;
  for (std::size_t i = 0; i < snapshot.layers.size(); ++i) {
    if (snapshot.layers[i]->result_digest == k_empty) continue;
    const auto* layer = unpacked_layer(snapshot, i);
    if (layer == nullptr) throw vanished(*snapshot.layers[i]);
    all.push_back(layer);
  }
  // A directory may be a lower one only once. The topmost occurrence hides all that one below it would show.
  std::unordered_set<const cache::Layer*> seen;
  std::vector<const cache::Layer*> layers;
  for (auto layer = all.rbegin(); layer != all.rend(); ++layer) {
    if (seen.insert(*layer).second) layers.push_back(*layer);
  }
  std::reverse(layers.begin(), layers.end());
  std::vector<const cache::Layer*> parts;
  for (const auto& run : runs_of(layers.size())) {
    parts.push_back(&flattened(std::span(layers).subspan(run.first, run.count), parts, stop));
  }
  return stack_of(parts);
}

Stack Steps::stack_of(const std::vector<const cache::Layer*>& layers) const {
  Stack stack;
  for (const auto* layer : layers) stack.layers.push_back({environment_.store.layer_path(layer->id), layer->implied});
  return stack;
}

// One layer that shows what these show over those `below`.
const cache::Layer& Steps::flattened(std::span<const cache::Layer* const> layers,
                                     std::vector<const cache::Layer*> below, const std::stop_token& stop) {
  if (layers.size() == 1) return *layers.front();
  Sha256 hash;
  hash.field("flattened run");
  for (const auto* layer : below) hash.field(layer->id);
  hash.field("");
  for (const auto* layer : layers) hash.field(layer->id);
  const Digest key = hash.digest();
  const std::string id = cache::run_id(key);
  if (const auto* known = find_layer(id)) return *known;

  auto& store = environment_.store;
  jobs::FlattenRequest request{
      .stack = {}, .below = stack_of(below), .work = work_directory() + "/run", .final_path = store.layer_path(id)};
  // What it is made of comes first: no lock of a layer is taken under another.
  const std::size_t length = layers.size() / k_run_length, lowest = below.size();
  for (std::size_t first = 0; first < layers.size(); first += length) {
    below.push_back(&flattened(layers.subspan(first, length), below, stop));
  }
  request.stack = stack_of({below.begin() + static_cast<std::ptrdiff_t>(lowest), below.end()});
  const auto lock = store.lock_layer(key, stop);
  if (const auto* known = find_layer(id)) return *known;
  const auto made = jobs::flatten(environment_.inner.get(), request, stop);
  crash_point("run-made");
  return add_layer({.id = id,
                    .result_digest = key,
                    .pulled = false,
                    .bytes = made.bytes,
                    .files = made.files,
                    .newest_mtime = 0,
                    .implied = made.implied});
}

}  // namespace mbuild::executor
