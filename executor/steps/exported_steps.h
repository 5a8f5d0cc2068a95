#pragma once

#include <memory>
#include <vector>

#include "cache/store.h"
#include "executor/steps/step_table.h"
#include "oci/step_cache.h"
#include "planner/plan.h"

namespace mbuild::executor {

// A step that has a result, for a cache.
struct ExportedStep {
  image::CachedStep step;
  std::shared_ptr<const SnapshotLayer> layer;
};
std::vector<ExportedStep> exported_steps(const planner::Plan& plan, const StepTable& table, cache::Store& store);

}  // namespace mbuild::executor
