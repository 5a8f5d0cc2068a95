#include "executor/steps/snapshot.h"

#include "layers/layer_digest.h"

namespace mbuild::executor {

Snapshot make_snapshot(LayerList layers) {
  static const Digest k_empty = image::empty_layer_digest();
  Sha256 hash;
  hash.field("snapshot");
  for (const auto& layer : layers) {
    if (layer->result_digest == k_empty && layer->cause.empty()) continue;
    hash.field(layer->result_digest);
    hash.field(layer->cause);
  }
  return {std::move(layers), hash.digest()};
}

}  // namespace mbuild::executor
