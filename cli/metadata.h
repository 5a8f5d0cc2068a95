#pragma once

#include <string>

#include "executor/build_request.h"

namespace mbuild::cli {

// What --metadata-file gets: the digests and names of the result and, with BUILDX_METADATA_WARNINGS=1, the warnings.
std::string metadata_json(const executor::BuildResult& result, const std::string& dockerfile);

}  // namespace mbuild::cli
