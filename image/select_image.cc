#include "image/select_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "frontend/image_config.h"
#include "image/list_images.h"

namespace mbuild::image {
namespace {

constexpr int k_max_index_depth = 8;

using Candidate = PlatformImage;

platforms::Platform platform_of(const Descriptor& descriptor, const ReadDocument& read) {
  if (descriptor.platform) return *descriptor.platform;
  return frontend::parse_image_config(read(parse_manifest(read(descriptor)).config)).platform;
}

// All images that a descriptor leads to, with their platforms, attestations left out.
void collect(const Descriptor& descriptor, const ReadDocument& read, int depth, std::vector<Candidate>& out) {
  if (is_attestation(descriptor)) return;
  if (is_index_type(descriptor.media_type)) {
    if (depth >= k_max_index_depth) throw Error(ExitClass::usage, "the image indexes are nested too deeply");
    for (const Descriptor& inner : parse_index(read(descriptor)).manifests) collect(inner, read, depth + 1, out);
  } else if (is_manifest_type(descriptor.media_type) || descriptor.media_type.empty()) {
    out.push_back({descriptor, platform_of(descriptor, read)});
  }
}

// An exact match first, then the best of what satisfies the request.
const Candidate* choose(const std::vector<Candidate>& candidates, const platforms::Platform& platform) {
  const auto exact = std::find_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& candidate) { return candidate.platform == platform; });
  if (exact != candidates.end()) return &*exact;
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!platforms::satisfies(candidate.platform, platform)) continue;
    // Among variants that all will do ("v6" and "v7" for arm/v8) the highest is the nearest.
    if (!best || candidate.platform.variant > best->platform.variant) best = &candidate;
  }
  return best;
}

}  // namespace

ImageDescription select_image(const Descriptor& top, const platforms::Platform& platform, const ReadDocument& read,
                              const std::string& name, bool any_platform) {
  std::vector<Candidate> candidates;
  collect(top, read, 0, candidates);
  const Candidate* chosen = choose(candidates, platform);
  if (!chosen && any_platform && candidates.size() == 1) chosen = &candidates.front();
  if (!chosen) {
    std::vector<std::string> there;
    for (const Candidate& candidate : candidates) there.push_back(platforms::to_string(candidate.platform));
    throw Error(ExitClass::usage, fmt::format("{} has no image for {}", name, platforms::to_string(platform)))
        .with_advice(there.empty() ? "there is no image at all" : "there is: " + join(there, ", "));
  }
  ImageDescription image;
  image.manifest_digest = chosen->descriptor.digest;
  image.manifest_bytes = read(chosen->descriptor);
  image.manifest = parse_manifest(image.manifest_bytes);
  image.config_bytes = read(image.manifest.config);
  return image;
}

std::vector<PlatformImage> list_images(const Descriptor& top, const ReadDocument& read) {
  std::vector<PlatformImage> images;
  collect(top, read, 0, images);
  return images;
}

std::vector<platforms::Platform> image_platforms(const Descriptor& top, const ReadDocument& read) {
  std::vector<platforms::Platform> platforms;
  for (const Candidate& candidate : list_images(top, read)) platforms.push_back(candidate.platform);
  return platforms;
}

}  // namespace mbuild::image
