#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <stop_token>

#include "cache/store.h"
#include "executor/api/build_request.h"
#include "executor/steps/siblings.h"
#include "executor/steps/workers.h"

namespace mbuild::executor {

struct CompilerPacksParts {
  const SessionRequest& session;
  const graph::Graph& graph;
  cache::Store& store;
  LayerDirectories& layers;
  Workers& workers;
  Siblings& siblings;
};

// Compilers that run on this host and make code for a step's platform (worker/native/compilers.h). A pack is what a
// step of mbuild's own makes on the base image for the host's platform, with the package manager, sources and keys of
// that image: once a store, and anew when it is a week old. Thread-safe.
class CompilerPacks {
 public:
  explicit CompilerPacks(const CompilerPacksParts& parts) : parts_(parts) {}

  // The pack for a RUN that is emulated, made where the store has none; what is done is told to `sink`. Nothing where
  // there is none for the platform, or it can't be had: that is no reason to fail.
  std::optional<LayerIds> find(graph::NodeId id, StepSink& sink, const std::stop_token& stop);

 private:
  std::optional<cache::Layer> make(graph::NodeId id, const Snapshot& base, const std::string& script, StepSink& sink,
                                   const std::stop_token& stop);

  CompilerPacksParts parts_;
  std::mutex mutex_;  // held while one is made
  std::map<Digest, std::optional<cache::Layer>> found_;
};

}  // namespace mbuild::executor
