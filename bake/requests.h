#pragma once

#include <string>
#include <vector>

#include "bake/outside.h"
#include "bake/selection.h"
#include "executor/api/build_request.h"

// From targets of a definition to what the executor is asked for.
namespace mbuild::bake {

// A request for each target of the selection, by name. Throws Error (usage) that names the target.
std::vector<executor::TargetRequest> target_requests(const Selection& selection, const Outside& outside);
// What the targets say that has no effect here.
std::vector<std::string> unsupported(const Selection& selection);

}  // namespace mbuild::bake
