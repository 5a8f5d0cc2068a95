#pragma once

#include <stop_token>
#include <vector>

#include "executor/api/build_request.h"
#include "executor/api/events.h"

namespace mbuild::executor {

// A whole build: Dockerfile, graph, steps, outputs. `result` is filled in as far as the build comes: its warnings are
// there when a step fails. Throws Error; Cancelled when stop was requested.
void run_build(const BuildRequest& request, ProgressSink& sink, std::stop_token stop, BuildResult& result);

// Several targets as one build: what is equal in them is done once, and a context "target:NAME" is the image of another
// of them. `results` are those of the targets. Throws as run_build does; where the session keeps going, the first Error
// when all else is done, and the results say what failed.
void run_builds(const SessionRequest& session, const std::vector<TargetRequest>& targets, ProgressSink& sink,
                std::stop_token stop, std::vector<BuildResult>& results);

}  // namespace mbuild::executor
