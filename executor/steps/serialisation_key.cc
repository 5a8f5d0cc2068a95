#include "executor/steps/serialisation_key.h"

#include "layers/serialise.h"

namespace mbuild::executor {

cache::SerialisationKey serialisation_key(const std::string& layer_id, const image::CachedLayer& imported) {
  const auto& type = imported.blob.media_type;
  const auto compression = type.ends_with("gzip")   ? image::Compression::gzip
                           : type.ends_with("zstd") ? image::Compression::zstd
                                                    : image::Compression::none;
  return {.layer_id = layer_id,
          .compression = std::string(compression_name(compression)),
          .level = imported.level,
          .clamp_mtime = imported.clamp_mtime};
}

}  // namespace mbuild::executor
