#pragma once

#include <string>

#include "cache/store.h"
#include "oci/step_cache.h"

namespace mbuild::executor {

// The serialisation of a layer as which the blob of an imported cache counts.
cache::SerialisationKey serialisation_key(const std::string& layer_id, const image::CachedLayer& imported);

}  // namespace mbuild::executor
