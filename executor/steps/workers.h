#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "executor/steps/layer_fetcher.h"
#include "worker/worker.h"

namespace mbuild::executor {

// The workers of a build, and which step runs where: on the one that is not this machine, where there is one and the
// step needs nothing that only this machine has. Thread-safe.
class Workers {
 public:
  // `other` may have no worker.
  Workers(const graph::Graph& graph, Worker& local, OtherWorker& other, LayerFetcher& fetcher, LayerDirectories& layers)
      : graph_(graph), local_(local), other_(other), fetcher_(fetcher), layers_(layers) {}

  Worker& local() const { return local_; }
  bool is_local(graph::NodeId id) const;
  Worker& of(graph::NodeId id) const { return is_local(id) ? local_ : *other_.worker; }

  // Has the layers of a snapshot where a step runs, and gives their ids. Throws PromiseBroken.
  LayerIds bring(const Snapshot& snapshot, graph::NodeId id, const std::stop_token& stop);

  // A layer that is not in the store, where the other worker has it.
  std::shared_ptr<const HeldLayer> find(const std::string& layer) const;
  // What a step made there.
  std::shared_ptr<const HeldLayer> held(cache::Layer layer) const;

 private:
  const graph::Graph& graph_;
  Worker& local_;
  OtherWorker& other_;
  LayerFetcher& fetcher_;
  LayerDirectories& layers_;
};

}  // namespace mbuild::executor
