#pragma once

#include <string>
#include <string_view>

#include "cache/store.h"
#include "layers/serialise.h"
#include "oci/step_cache.h"

namespace mbuild::executor {

// The serialisation of a layer as which the blob of an imported cache counts.
cache::SerialisationKey serialisation_key(const std::string& layer_id, const image::CachedLayer& imported);

// "gzip", as outputs and the index spell it.
std::string_view compression_name(image::Compression compression);

}  // namespace mbuild::executor
