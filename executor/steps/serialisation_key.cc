#include "executor/steps/serialisation_key.h"

namespace mbuild::executor {

std::string_view compression_name(image::Compression compression) {
  switch (compression) {
    case image::Compression::none:
      return "none";
    case image::Compression::gzip:
      return "gzip";
    case image::Compression::zstd:
      return "zstd";
  }
  return "";
}

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
