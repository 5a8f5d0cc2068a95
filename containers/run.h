#pragma once

#include <stop_token>

#include "containers/attend.h"
#include "containers/options.h"
#include "executor/api/build_request.h"

namespace mbuild::containers {

// How a container ended, or why it never began: a status as docker's.
inline constexpr int k_not_started = 125, k_not_executable = 126, k_not_found = 127;

// The status for an error that kept a container from running.
int status_of(const Error& error);

// Runs a container in the foreground: this process attends it, and both end together. What it writes to its root is
// gone then. Returns the status of its program. Throws Error where it was not started, Cancelled where a signal came
// before.
int run_attended(const executor::SessionRequest& session, const Options& options, const Streams& streams);

}  // namespace mbuild::containers
