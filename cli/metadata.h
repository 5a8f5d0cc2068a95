#pragma once

#include <string>
#include <vector>

#include "cli/display/target_result.h"

namespace mbuild::cli {

// The member of a metadata file that says what a build was made of, for `mbuild merge` to compare: digests of the
// Dockerfile and of the build arguments, the target, and the commit of the context.
inline constexpr const char* k_inputs_key = "mbuild.build.inputs";

// What --metadata-file gets: the digests and names of the result, what it was built from (where `request` is given)
// and, with BUILDX_METADATA_WARNINGS=1, the warnings. `dockerfile` is the name that warnings are shown with.
std::string metadata_json(const executor::BuildResult& result, const std::string& dockerfile,
                          const executor::TargetRequest* request);

// The same of several targets, by their names.
std::string metadata_json(const std::vector<TargetResult>& results);

}  // namespace mbuild::cli
