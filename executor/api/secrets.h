#pragma once

#include <optional>
#include <string>

#include "executor/api/build_request.h"

namespace mbuild::executor {

// Throws Error (usage) for a secret whose file is not there or can't be read.
void check_secrets(const TargetRequest& request);
// The value of the secret with this id, if there is one; of a variable that is not set "".
std::optional<std::string> read_secret(const TargetRequest& request, const std::string& id);
// The same for who would send it: an empty one is none.
std::optional<std::string> read_credential(const TargetRequest& request, const std::string& id);

}  // namespace mbuild::executor
