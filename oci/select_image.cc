#include "oci/select_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "oci/image_config.h"
#include "oci/list_images.h"

namespace mbuild::image {
namespace {

constexpr int k_max_index_depth = 8;
constexpr std::size_t k_most_images = 1000;  // of an image, over all its indexes
constexpr std::size_t k_most_to_read = 100;  // of those whose platform only their configuration tells

using Candidate = PlatformImage;

Error too_many(std::string what) {
  return Error(ExitClass::network, std::move(what)).with_advice("What has this name is not an image for containers.");
}

platforms::Platform platform_of(const Descriptor& descriptor, const ReadDocument& read, std::size_t& left_to_read) {
  if (descriptor.platform) return *descriptor.platform;
  if (left_to_read-- == 0) throw too_many(fmt::format("more than {} images without a platform", k_most_to_read));
  return frontend::parse_image_config(read(parse_manifest(read(descriptor)).config)).platform;
}

// All images that a descriptor leads to, with their platforms, attestations left out.
class Collector {
 public:
  explicit Collector(const ReadDocument& read) : read_(read) {}

  std::vector<Candidate> run(const Descriptor& top) {
    collect(top, 0);
    return std::move(found_);
  }

 private:
  void collect(const Descriptor& descriptor, int depth) {
    if (is_attestation(descriptor)) return;
    if (is_index_type(descriptor.media_type)) {
      if (depth >= k_max_index_depth) throw Error(ExitClass::usage, "the image indexes are nested too deeply");
      const auto entries = parse_index(read_(descriptor)).manifests;
      entries_ += entries.size();
      if (entries_ > k_most_images) {
        throw too_many(fmt::format("an image index of {} entries: more than {} are not read", entries_, k_most_images));
      }
      for (const Descriptor& inner : entries) collect(inner, depth + 1);
    } else if (is_manifest_type(descriptor.media_type) || descriptor.media_type.empty()) {
      found_.push_back({descriptor, platform_of(descriptor, read_, left_to_read_)});
    }
  }

  const ReadDocument& read_;
  std::size_t entries_ = 0, left_to_read_ = k_most_to_read;
  std::vector<Candidate> found_;
};

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
  const auto candidates = Collector(read).run(top);
  const Candidate* chosen = choose(candidates, platform);
  if (!chosen && any_platform && candidates.size() == 1) chosen = &candidates.front();
  if (!chosen) {
    std::vector<std::string> there;
    for (const Candidate& candidate : candidates) there.push_back(platforms::to_string(candidate.platform));
    throw Error(ExitClass::usage, fmt::format("{} has no image for {}", name, platforms::to_string(platform)))
        .with_advice(there.empty() ? "there is no image at all" : "there is: " + join_some(there));
  }
  ImageDescription image;
  image.manifest_digest = chosen->descriptor.digest;
  image.manifest_bytes = read(chosen->descriptor);
  image.manifest = parse_manifest(image.manifest_bytes);
  image.config_bytes = read(image.manifest.config);
  return image;
}

std::vector<PlatformImage> list_images(const Descriptor& top, const ReadDocument& read) {
  return Collector(read).run(top);
}

std::vector<platforms::Platform> image_platforms(const Descriptor& top, const ReadDocument& read) {
  std::vector<platforms::Platform> platforms;
  for (const Candidate& candidate : list_images(top, read)) platforms.push_back(candidate.platform);
  return platforms;
}

}  // namespace mbuild::image
