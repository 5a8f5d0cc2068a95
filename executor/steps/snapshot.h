#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "graph/graph.h"
#include "oci/step_cache.h"
#include "worker/worker.h"

namespace mbuild::executor {

// A worker that is not this machine, with a store of its own.
struct OtherWorker {
  std::unique_ptr<Worker> worker;    // null: there is none, or none any more
  std::atomic<bool> broken = false;  // it did not keep a promise: it is given up when all is looked up again
};
// A layer that it has.
struct HeldLayer {
  OtherWorker* at;
  cache::Layer layer;
};

// A layer as a step's result: known by its digest, unpacked only when something has to read it.
struct SnapshotLayer {
  std::string id;  // of the store; of a pulled layer, the id it will have
  Digest result_digest;
  // Digest of the parameters of the RUN that made it, "" for other layers. A RUN that is run again and gives the same
  // result leaves all below it cached; one whose text was changed does not, though its result be the same: that is how
  // people say that they want everything below run again.
  Digest cause;
  bool pulled = false;                   // result_digest is the diff id; exported as its original blob
  std::int64_t created = 0;              // seconds since 1970; 0 is unknown
  std::optional<graph::NodeId> made_by;  // the step of this build
  // Promised by an imported cache: not in the store until something has to read it. See promised_layers.cc.
  std::shared_ptr<const image::CachedLayer> imported;
  // Likewise, made by another worker, which has it.
  std::shared_ptr<const HeldLayer> held;
};

using LayerList = std::vector<std::shared_ptr<const SnapshotLayer>>;

// An ordered list of layers, bottom first.
struct Snapshot {
  LayerList layers;
  Digest digest;  // of the layers' result digests and causes
};

Snapshot make_snapshot(LayerList layers);

}  // namespace mbuild::executor
