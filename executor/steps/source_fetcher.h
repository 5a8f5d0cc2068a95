#pragma once

#include <stop_token>
#include <string>

#include "cache/store.h"
#include "executor/api/build_request.h"
#include "executor/steps/lent_files.h"
#include "graph/graph.h"
#include "worker/layer_directories.h"
#include "worker/worker.h"

namespace mbuild::executor {

struct SourceFetcherParts {
  cache::Store& store;
  WorkDirectories& work;
  LayerDirectories& layers;
  LentFiles& lent;
  Worker& worker;
};

// Sources that come over the network: the file of ADD URL, and git check-outs. Each becomes a layer of the store, from
// which it is copied as from a stage. Thread-safe.
class SourceFetcher {
 public:
  explicit SourceFetcher(const SourceFetcherParts& parts) : parts_(parts) {}

  // With the credentials that are among the secrets of the request.
  cache::Layer fetch(const TargetRequest& request, const graph::SourceOp& source, const std::stop_token& stop);

 private:
  cache::Layer fetch_file(const TargetRequest& request, const graph::HttpSource& source, const std::stop_token& stop);
  cache::Layer fetch_git(const TargetRequest& request, const graph::GitSource& source, const std::stop_token& stop);
  cache::Layer layer_of_directory(const std::string& directory, const std::string& mode, const std::stop_token& stop);

  SourceFetcherParts parts_;
};

}  // namespace mbuild::executor
