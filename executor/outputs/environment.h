#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "executor/api/build_request.h"
#include "executor/api/events.h"
#include "executor/steps/steps.h"
#include "frontend/frontend.h"

namespace mbuild::executor {

// What outputs are made of, and whom they tell.
struct ExportEnvironment {
  const BuildRequest& request;
  const frontend::dockerfile::Dockerfile& dockerfile;
  const frontend::Lowered& lowered;
  cache::Store& store;
  const cache::BuildDirectory& directory;
  ImageSources& images;
  LazyInner& inner;
  Steps& steps;
  ProgressSink& sink;
  BuildResult& result;
  std::function<std::string(graph::NodeId)> excerpt;
  // Files' times are clamped to this where an output asks for it (--reproducible, rewrite-timestamp).
  std::optional<std::int64_t> epoch;
};

}  // namespace mbuild::executor
