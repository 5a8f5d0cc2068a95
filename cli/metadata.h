#pragma once

#include <string>
#include <vector>

#include "executor/api/build_request.h"

namespace mbuild::cli {

// The member of a metadata file that says what a build was made of, for `mbuild merge` to compare: digests of the
// Dockerfile and of the build arguments, the target, and the commit of the context.
inline constexpr const char* k_inputs_key = "mbuild.build.inputs";

// What --metadata-file gets: the digests and names of the result, what it was built from (where `request` is given)
// and, with BUILDX_METADATA_WARNINGS=1, the warnings. `dockerfile` is the name that warnings are shown with.
std::string metadata_json(const executor::BuildResult& result, const std::string& dockerfile,
                          const executor::TargetRequest* request);

// The same of several targets, by their names.
struct NamedResult {
  const executor::TargetRequest& request;
  const executor::BuildResult& result;
};
std::string metadata_json(const std::vector<NamedResult>& results);

}  // namespace mbuild::cli
