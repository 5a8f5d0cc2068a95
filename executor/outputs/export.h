#pragma once

#include <stop_token>

#include "executor/api/build_request.h"
#include "executor/api/events.h"
#include "executor/steps/steps.h"
#include "frontend/frontend.h"

namespace mbuild::executor {

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

// The registries as they are configured, and those that an output with registry.insecure=true pushes to.
remote::RegistryHosts registries_of(const BuildRequest& request);

// Checks what can be checked before anything is built. Throws Error (usage).
void check_outputs(const BuildRequest& request);

// Makes what each of the request's outputs asks for, and fills in the digests and warnings of the result.
void export_images(const ExportEnvironment& environment, std::stop_token stop);

}  // namespace mbuild::executor
