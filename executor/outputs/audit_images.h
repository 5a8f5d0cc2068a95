#pragma once

#include "executor/outputs/environment.h"
#include "executor/outputs/layer_blobs.h"

namespace mbuild::executor {

// What is labelled arm64 contains arm64 code: see emu/audit.h. Throws Error (step_failed) for grave findings in layers
// that a step made, adds warnings for others.
void audit_images(const ExportEnvironment& environment, const LayerBlobs& blobs, std::stop_token stop);

}  // namespace mbuild::executor
