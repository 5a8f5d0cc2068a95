#include "executor/steps/layer_fetcher.h"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <set>

#include "base/parallel.h"
#include "layers/layer_digest.h"

namespace mbuild::executor {
namespace {

constexpr unsigned k_layers_at_once = 4;

bool is_empty(const SnapshotLayer& layer) {
  static const Digest k_empty = image::empty_layer_digest();
  return layer.result_digest == k_empty;
}

bool is_at(const SnapshotLayer& layer, const OtherWorker* worker) {
  return worker != nullptr && layer.held && layer.held->at == worker;
}

}  // namespace

LayerIds LayerFetcher::fetch(const Snapshot& snapshot, const std::stop_token& stop, const OtherWorker* but) {
  fetch_missing(snapshot, stop, but);
  LayerIds ids;
  for (std::size_t i = 0; i < snapshot.layers.size(); ++i) {
    if (is_empty(*snapshot.layers[i])) continue;
    const auto* layer = find(snapshot, i);
    if (layer == nullptr && is_at(*snapshot.layers[i], but)) {
      ids.push_back(snapshot.layers[i]->id);
      continue;
    }
    if (layer == nullptr) throw vanished_layer(snapshot.layers[i]->id);
    ids.push_back(layer->id);
  }
  return ids;
}

// In parallel. A layer does not depend on those below it, except where a tar has a hard link to a file of a lower
// layer: such a layer is found out and made again when the others are there.
void LayerFetcher::fetch_missing(const Snapshot& snapshot, const std::stop_token& stop, const OtherWorker* but) {
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < snapshot.layers.size(); ++i) {
    const auto& layer = *snapshot.layers[i];
    if (!is_empty(layer) && !find(snapshot, i) && !is_at(layer, but)) missing.push_back(i);
  }
  // The first failure ends the others, and is the one that is told.
  std::stop_source others;
  const std::stop_callback on_stop(stop, [&] { others.request_stop(); });
  std::mutex mutex;
  std::exception_ptr failure;
  std::set<std::size_t> again;
  parallel_for(missing.size(), k_layers_at_once, [&](std::size_t i) {
    try {
      if (fetch_one(snapshot, missing[i], false, others.get_token())) return;
      const std::lock_guard lock(mutex);
      again.insert(missing[i]);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      others.request_stop();
    }
  });
  if (failure) std::rethrow_exception(failure);
  for (const auto index : again) fetch_one(snapshot, index, true, stop);
}

// Without `lowers_are_there`: false when they are needed and nothing was made.
bool LayerFetcher::fetch_one(const Snapshot& snapshot, std::size_t index, bool lowers_are_there,
                             const std::stop_token& stop) {
  const auto& wanted = *snapshot.layers[index];
  if (wanted.imported || wanted.held) {
    fetch_promised(wanted, stop);
    return true;
  }
  if (!wanted.pulled) throw vanished_layer(wanted.id);
  return pull(snapshot, index, lowers_are_there, stop);
}

}  // namespace mbuild::executor
