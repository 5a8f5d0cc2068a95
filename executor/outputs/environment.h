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
  const SessionRequest& session;
  const TargetRequest& request;
  const graph::Graph& graph;  // of all targets
  const planner::Plan& plan;  // of this one
  const frontend::dockerfile::Dockerfile& dockerfile;
  const frontend::Lowered& lowered;
  cache::Store& store;
  const cache::BuildDirectory& directory;
  ImageSources& images;
  LazyInner& inner;
  Steps& steps;
  ProgressSink& sink;
  BuildResult& result;
  std::uint32_t number = 0;      // of the target
  std::string label;             // before the names of phases
  std::size_t first_output = 0;  // numbers of vertices
  std::size_t first_cache = 0;
  std::function<std::string(graph::NodeId)> excerpt;
  // Files' times are clamped to this where an output asks for it (--reproducible, rewrite-timestamp).
  std::optional<std::int64_t> epoch;
};

}  // namespace mbuild::executor
