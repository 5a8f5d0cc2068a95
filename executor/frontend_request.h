#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "executor/api/build_request.h"
#include "executor/sources/base_images.h"
#include "executor/sources/contexts.h"
#include "executor/sources/inputs.h"
#include "executor/sources/scratch.h"
#include "frontend/frontend.h"

namespace mbuild::executor {

// What a target is lowered from. All of it has to outlive the frontend's request.
struct FrontendSources {
  const SessionRequest& session;
  const TargetRequest& request;
  const Inputs& inputs;
  Contexts& contexts;
  ImageSources& images;
  Scratch scratch;
};

// The contexts of a request: the main one, and those with a name that are directories.
void open_contexts(const TargetRequest& request, const Inputs& inputs, Contexts& contexts);

// The request for the frontend, its Dockerfile parsed; `warnings` receives what parsing has found. Throws Error
// (usage).
frontend::Request frontend_request(const FrontendSources& sources, std::stop_token stop,
                                   std::vector<frontend::dockerfile::Warning>& warnings);

// The time that --reproducible clamps to: SOURCE_DATE_EPOCH, else the commit of the context, else 0.
std::optional<std::int64_t> epoch_of(const TargetRequest& request, const frontend::Lowered& lowered,
                                     const Inputs& inputs);

}  // namespace mbuild::executor
