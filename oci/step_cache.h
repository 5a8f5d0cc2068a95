#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "oci/manifest.h"

// A cache of steps outside of the store: what running them gave, and where the layers are. Its JSON is the
// configuration of an artifact, or a member of an image's configuration (docs/formats.md).
namespace mbuild::image {

inline constexpr std::string_view k_step_cache_config = "application/vnd.mbuild.cache.config.v1+json";
inline constexpr std::string_view k_step_cache_artifact = "application/vnd.mbuild.cache.v1";
inline constexpr std::string_view k_inline_cache_member = "mbuild.cache.v1";

// A step that ran: what it is, what its inputs were, and the result. The two keys lead to the content key.
struct CachedStep {
  Digest definition, inputs, key;
  Digest result;             // result digest of its layer
  std::int64_t created = 0;  // seconds since 1970
  std::int64_t duration_ms = 0;
  std::string emulator, name;
};

// A layer that the cache holds. Steps whose layer is not among these are known by their result only: enough for what
// was made of it, until something has to read it.
struct CachedLayer {
  Digest result, diff_id;
  Descriptor blob;
  int level = -1;                           // of compression; -1 is the default
  std::optional<std::int64_t> clamp_mtime;  // file times were clamped to this
  std::vector<std::string> audited;         // platforms for which the architecture audit found nothing to say
};

struct StepCache {
  std::vector<CachedStep> steps;
  std::vector<CachedLayer> layers;
};

// Equal caches are equal bytes.
std::string serialise_step_cache(const StepCache& cache);
// Throws Error (network) that says what is wrong with it.
StepCache parse_step_cache(std::string_view json);

// The manifest of an artifact with this configuration. Registries keep what a manifest names.
Manifest step_cache_manifest(const StepCache& cache, const Descriptor& config);

// The cache that the configuration of an image carries, its layers' blobs from the image's manifest; none: no steps.
StepCache parse_inline_cache(std::string_view config, const Manifest& manifest);

}  // namespace mbuild::image
