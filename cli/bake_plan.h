#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "bake/remote.h"
#include "bake/selection.h"
#include "cli/bake_flags.h"
#include "executor/api/build_request.h"

namespace mbuild::cli {

// What `mbuild bake` is to build.
struct BakePlan {
  std::unique_ptr<bake::RemoteDefinition> remote;  // holds what was fetched
  bake::Selection selection;
  std::vector<executor::TargetRequest> requests;
};

// Reads the definition that the flags mean, and has what it may do granted. None where the definition was only to be
// shown, and was. Throws Error.
std::optional<BakePlan> plan_bake(const BakeFlags& flags, const executor::SessionRequest& session,
                                  std::stop_token stop);

void print_bake_warnings(const std::vector<std::string>& warnings);

}  // namespace mbuild::cli
