#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "executor/sources/base_images.h"
#include "executor/steps/snapshot.h"
#include "graph/graph.h"

namespace mbuild::executor {

// Of a step that is emulated, the *sibling*: what the same instruction has as its base in the image for the host's own
// platform, or else the base image for that platform. Its programs are native equivalents of those of the step.
// Thread-safe.
class Siblings {
 public:
  Siblings(const graph::Graph& graph, ImageSources& images) : graph_(graph), images_(images) {}

  // The step's result is there.
  void publish(graph::NodeId id, Snapshot result);
  // The nearest snapshot that is there below the sibling of the step; nothing where there is none.
  std::optional<Snapshot> find(graph::NodeId id);
  // What the step's base image is for the host's platform, likewise.
  std::optional<Snapshot> base_of(graph::NodeId id);
  // The name of the step's base image, "" where it has none.
  std::string base_name(graph::NodeId id) const;

 private:
  std::optional<graph::NodeId> sibling_of(graph::NodeId id) const;
  std::optional<Snapshot> find_in_graph(graph::NodeId id) const;

  const graph::Graph& graph_;
  ImageSources& images_;
  mutable std::mutex mutex_;
  std::map<graph::NodeId, Snapshot> results_;
  std::mutex bases_mutex_;                                // held while the registry is asked
  std::map<std::string, std::optional<Snapshot>> bases_;  // by the image's name
};

}  // namespace mbuild::executor
