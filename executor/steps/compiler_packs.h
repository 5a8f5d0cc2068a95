#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/store.h"
#include "executor/api/build_request.h"
#include "executor/api/compiler_pack.h"
#include "executor/sources/base_images.h"
#include "executor/steps/siblings.h"
#include "executor/steps/workers.h"

namespace mbuild::executor {

// What the records of those are called that a build makes by itself.
inline constexpr const char* k_made_pack = "compiler pack";
// What the layer with this id has that such a record names: packages alone. Throws Error where it can't be read.
PackFacts made_pack_facts(const cache::Store& store, const std::string& layer);

struct CompilerPacksParts {
  const SessionRequest& session;
  const graph::Graph& graph;
  cache::Store& store;
  LayerDirectories& layers;
  Workers& workers;
  Siblings& siblings;
  ImageSources& images;
  std::function<void(std::string text)> warn;  // of packs that can't be used
};

// Compilers that run on this host and make code for a step's platform (worker/native/compilers.h). A pack is one that
// the store keeps or that is at a place which the user named (executor/api/compiler_pack.h); else what a step of
// mbuild's own makes on the base image for the host's platform, with the package manager, sources and keys of that
// image: once a store, and anew when it is a week old. Thread-safe.
class CompilerPacks {
 public:
  explicit CompilerPacks(const CompilerPacksParts& parts) : parts_(parts) {}

  // The pack for a RUN on `root` that is emulated, made where there is none; what is done is told to `sink`. Nothing
  // where there is none for the platform, or it can't be had: that is no reason to fail.
  std::optional<LayerIds> find(graph::NodeId id, const LayerIds& root, StepSink& sink, const std::stop_token& stop);

 private:
  std::optional<LayerIds> find_kept(graph::NodeId id, const LayerIds& root, StepSink& sink,
                                    const std::stop_token& stop);
  // `added`: what it tells the images of.
  std::optional<Snapshot> read_from(const std::string& place, const std::string& tag, const graph::Node& node,
                                    std::vector<Digest>& added, const std::stop_token& stop);
  std::optional<LayerIds> find_made(graph::NodeId id, StepSink& sink, const std::stop_token& stop);
  std::optional<cache::Layer> make(graph::NodeId id, const Snapshot& base, const std::string& script, StepSink& sink,
                                   const std::stop_token& stop);
  void advise(graph::NodeId id, const cache::Layer& layer, StepSink& sink);

  CompilerPacksParts parts_;
  std::mutex mutex_;  // held while one is made or fetched
  std::map<Digest, std::optional<cache::Layer>> found_;
  std::map<std::string, std::optional<Snapshot>> kept_;  // by tag
  std::set<std::string> passed_over_;                    // places
};

}  // namespace mbuild::executor
