#pragma once

#include <stop_token>

#include "executor/outputs/environment.h"

namespace mbuild::executor {

// Adds a warning (EmulatedStage) for each stage whose steps ran under emulation for some time in this build and need
// not have: nothing but COPY reads it, what was copied is the same on every platform, and no instruction asks for the
// platform. In doubt nothing is said. `# check=skip=EmulatedStage` silences it.
void advise_native_stages(const ExportEnvironment& environment, const std::stop_token& stop);

}  // namespace mbuild::executor
