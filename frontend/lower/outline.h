#pragma once

#include <string>
#include <vector>

#include "frontend/lower/state.h"
#include "frontend/outline.h"

// What outline() collects while stages are lowered.
namespace mbuild::frontend::lowering {

// An ARG of a stage with the value that it got; `inherited`: that of the global ARG, which is the one that is shown.
void note_argument(Lowering& lowering, Stage& stage, const Step& step, const std::string& name,
                   const std::string& value, bool inherited);
// A secret or ssh mount.
void note_mount(Lowering& lowering, Stage& stage, const Step& step, const graph::Mount& mount);

Outline make_outline(const Lowering& lowering);

}  // namespace mbuild::frontend::lowering
