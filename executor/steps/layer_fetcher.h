#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "cache/store.h"
#include "executor/api/build_request.h"
#include "executor/sources/base_images.h"
#include "executor/sources/cache_import.h"
#include "executor/steps/step_table.h"
#include "planner/plan.h"
#include "worker/jobs/jobs.h"
#include "worker/layer_directories.h"

// Layers that somebody else has, as directories of the store: those of base images and those that an imported cache
// promised.
namespace mbuild::executor {

struct LayerFetcherParts {
  const std::vector<platforms::Platform>& platforms;  // that the layers are audited for
  const planner::Plan& plan;
  const StepTable& table;
  cache::Store& store;
  ImageSources& images;
  ImportedCaches& imports;
  LazyInner& inner;
  WorkDirectories& work;
  LayerDirectories& layers;
};

class LayerFetcher {
 public:
  explicit LayerFetcher(const LayerFetcherParts& parts) : parts_(parts) {}

  // Has all layers of a snapshot in the store, but those that the worker has, and gives their ids. Throws
  // PromiseBroken.
  LayerIds fetch(const Snapshot& snapshot, const std::stop_token& stop, const OtherWorker* but = nullptr);
  // Has a promised layer in the store. Throws PromiseBroken.
  const cache::Layer& fetch_promised(const SnapshotLayer& wanted, const std::stop_token& stop);
  // One of a snapshot's layers; nothing for a pulled or promised one that nothing had to read.
  const cache::Layer* find(const Snapshot& snapshot, std::size_t index);
  // The end of a promise, said to the user.
  [[noreturn]] void break_promise(const Digest& result, const Error& why) const;

 private:
  // Pulled layers: see pull_layers.cc.
  void fetch_missing(const Snapshot& snapshot, const std::stop_token& stop, const OtherWorker* but);
  bool fetch_one(const Snapshot& snapshot, std::size_t index, bool lowers_are_there, const std::stop_token& stop);
  bool pull(const Snapshot& snapshot, std::size_t index, bool lowers_are_there, const std::stop_token& stop);
  jobs::UnpackReply pull_and_unpack(jobs::UnpackRequest& request, const image::Descriptor& descriptor,
                                    const std::stop_token& stop);
  // Promised ones: see promised_layers.cc.
  const cache::Layer& unpack_promised(const SnapshotLayer& wanted, const std::stop_token& stop);
  const cache::Layer& unpack_held(const SnapshotLayer& wanted, const std::stop_token& stop);

  LayerFetcherParts parts_;
};

// The blob of a layer that an imported cache promised, and what it promised: the result, where it is this blob's.
std::optional<Digest> promised_result(const StepTable& table, const Digest& blob);

// Keeps a step of an imported cache, whose layer is in the store now, like one that was run here.
void keep_import(cache::Store& store, const planner::Plan& plan, const StepTable& table, graph::NodeId id,
                 const image::CachedStep& step, const cache::Layer& layer);

}  // namespace mbuild::executor
