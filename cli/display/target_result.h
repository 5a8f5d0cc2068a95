#pragma once

#include "executor/api/build_request.h"

namespace mbuild::cli {

// A target, and what became of it.
struct TargetResult {
  const executor::TargetRequest& request;
  const executor::BuildResult& result;
};

}  // namespace mbuild::cli
