#include "worker/layer_directories.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/crash_point.h"
#include "base/error.h"
#include "worker/jobs/jobs.h"
#include "worker/snapshot/flatten.h"

namespace mbuild::executor {

Error vanished_layer(const std::string& id) {
  return Error(ExitClass::store, fmt::format("the layer {} has vanished from the store", id))
      .with_advice("Run the build again.");
}

const cache::Layer* LayerDirectories::find(const std::string& id) {
  {
    const std::lock_guard guard(mutex_);
    if (const auto known = layers_.find(id); known != layers_.end()) return &known->second;
  }
  auto layer = store_.find_layer(id);
  return layer ? &remember(std::move(*layer)) : nullptr;
}

const cache::Layer* LayerDirectories::find_by_result(const Digest& result) {
  auto layer = store_.find_layer_by_result(result);
  return layer ? &remember(std::move(*layer)) : nullptr;
}

const cache::Layer& LayerDirectories::remember(cache::Layer layer) {
  const std::lock_guard guard(mutex_);
  std::string id = layer.id;
  return layers_.try_emplace(std::move(id), std::move(layer)).first->second;
}

const cache::Layer& LayerDirectories::add(cache::Layer layer) {
  crash_point("layer-named");
  try {
    store_.add_layer(layer);
  } catch (const Error&) {
    remove_later_(store_.layer_path(layer.id));  // it would take space for nothing
    throw;
  }
  crash_point("layer-row");
  return remember(std::move(layer));
}

bool LayerDirectories::have_same_times(const cache::Layer& one, const cache::Layer& other) {
  if (one.files == 0 && other.files == 0) return true;
  const auto times = [&](const cache::Layer& layer) {
    return jobs::LayerTimes{store_.layer_path(layer.id), layer.implied};
  };
  return jobs::same_set_times(inner_.get(), {times(one), times(other), inner_.map().owner_mode()}, {});
}

const cache::Layer& LayerDirectories::keep(cache::Layer made) {
  const auto* older = find_by_result(made.result_digest);
  if (older != nullptr && older->id != made.id && have_same_times(*older, made)) {
    remove_later_(store_.layer_path(made.id));
    return *older;
  }
  return add(std::move(made));
}

bool LayerDirectories::forget_lost() {
  const std::lock_guard guard(mutex_);
  return std::erase_if(layers_, [&](const auto& known) { return !store_.find_layer(known.first); }) > 0;
}

Stack LayerDirectories::stack(const LayerIds& snapshot, const std::stop_token& stop) {
  // A directory may be a lower one only once. The topmost occurrence hides all that one below it would show.
  std::unordered_set<const cache::Layer*> seen;
  std::vector<const cache::Layer*> layers;
  for (auto id = snapshot.rbegin(); id != snapshot.rend(); ++id) {
    const auto* layer = find(*id);
    if (layer == nullptr) throw vanished_layer(*id);
    if (seen.insert(layer).second) layers.push_back(layer);
  }
  std::reverse(layers.begin(), layers.end());
  std::vector<const cache::Layer*> parts;
  for (const auto& bundle : bundles_of(layers.size())) {
    parts.push_back(&flattened(std::span(layers).subspan(bundle.first, bundle.count), parts, stop));
  }
  return stack_of(parts);
}

Stack LayerDirectories::stack_of(const std::vector<const cache::Layer*>& layers) const {
  Stack stack;
  for (const auto* layer : layers) stack.layers.push_back({store_.layer_path(layer->id), layer->implied});
  return stack;
}

// One layer that shows what these show over those `below`.
const cache::Layer& LayerDirectories::flattened(std::span<const cache::Layer* const> layers,
                                                std::vector<const cache::Layer*> below, const std::stop_token& stop) {
  if (layers.size() == 1) return *layers.front();
  Sha256 hash;
  hash.field("flattened run");
  for (const auto* layer : below) hash.field(layer->id);
  hash.field("");
  for (const auto* layer : layers) hash.field(layer->id);
  const Digest key = hash.digest();
  const std::string id = cache::bundle_id(key);
  if (const auto* known = find(id)) return *known;

  jobs::FlattenRequest request{
      .stack = {}, .below = stack_of(below), .work = work_.next() + "/bundle", .final_path = store_.layer_path(id)};
  // What it is made of comes first: no lock of a layer is taken under another.
  const std::size_t length = layers.size() / k_bundle_length, lowest = below.size();
  for (std::size_t first = 0; first < layers.size(); first += length) {
    below.push_back(&flattened(layers.subspan(first, length), below, stop));
  }
  request.stack = stack_of({below.begin() + static_cast<std::ptrdiff_t>(lowest), below.end()});
  const auto lock = store_.lock_layer(key, stop);
  if (const auto* known = find(id)) return *known;
  const auto made = jobs::flatten(inner_.get(), request, stop);
  crash_point("bundle-made");
  return add({.id = id,
              .result_digest = key,
              .pulled = false,
              .bytes = made.bytes,
              .files = made.files,
              .newest_mtime = 0,
              .implied = made.implied});
}

}  // namespace mbuild::executor
