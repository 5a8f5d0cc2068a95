#pragma once

#include <stop_token>

#include "executor/api/build_request.h"
#include "executor/api/events.h"

namespace mbuild::executor {

// A whole build: Dockerfile, graph, steps, outputs. `result` is filled in as far as the build comes: its warnings are
// there when a step fails. Throws Error; Cancelled when stop was requested.
void run_build(const BuildRequest& request, ProgressSink& sink, std::stop_token stop, BuildResult& result);

}  // namespace mbuild::executor
