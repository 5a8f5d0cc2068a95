#include "image/combine_index.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "oci/image_config.h"

namespace mbuild::image {
namespace {

void check_places(std::span<const Annotation> annotations) {
  for (const auto& annotation : annotations) {
    if (annotation.place == AnnotationPlace::manifest) {
      throw Error(ExitClass::usage, "\"manifest\" annotations are not supported: manifests are taken as they are")
          .with_advice("Annotate index:KEY=VALUE or manifest-descriptor:KEY=VALUE.");
    }
    if (annotation.place == AnnotationPlace::index_descriptor) {
      throw Error(ExitClass::usage, "\"index-descriptor\" annotations are invalid while creating an image");
    }
  }
}

std::string attested(const Descriptor& descriptor) {
  const auto found = descriptor.annotations.find(std::string(k_annotation_reference_digest));
  return found == descriptor.annotations.end() ? "" : found->second;
}

// The platform that an index tells, or that the config of the image does.
void fill_platform(Descriptor& descriptor, const ImagePlace& place) {
  if (descriptor.platform || !is_manifest_type(descriptor.media_type)) return;
  const auto manifest = parse_manifest(place.read(descriptor));
  if (manifest.config.media_type != media_type::k_oci_config &&
      manifest.config.media_type != media_type::k_docker_config)
    return;
  descriptor.platform = frontend::parse_image_config(place.read(manifest.config)).platform;
}

class Combination {
 public:
  explicit Combination(const CombineOptions& options) : options_(options) {}

  void add(const IndexSource& source, std::size_t number) {
    if (!is_index_type(source.descriptor.media_type)) {
      add_entry(source.descriptor, source.place, number);
      return add_attestations(source, number);
    }
    const Index index = parse_index(source.place.read(source.descriptor));
    // The user's annotations of a source concern what it holds.
    for (Descriptor inner : index.manifests) add_entry(std::move(inner), source.place, number);
    for (const auto& [key, value] : index.annotations) annotations_.emplace(key, value);
  }

  CombinedIndex finish() {
    filter();
    if (result_.entries.empty()) {
      throw Error(ExitClass::usage, "no image is left to make an index of")
          .with_advice("Check --platform and the sources.");
    }
    Index index;
    bool oci = !options_.annotations.empty() || !annotations_.empty();
    for (auto& [descriptor, source] : result_.entries) {
      if (descriptor.platform) {
        for (auto& [key, value] :
             annotations_for(options_.annotations, AnnotationPlace::manifest_descriptor, &*descriptor.platform)) {
          if (!is_attestation(descriptor)) descriptor.annotations[key] = value;
        }
      }
      oci = oci || descriptor.media_type.find("oci") != std::string::npos;
      index.manifests.push_back(descriptor);
    }
    index.media_type = oci ? media_type::k_oci_index : media_type::k_docker_index;
    index.annotations = annotations_for(options_.annotations, AnnotationPlace::index);
    index.annotations.insert(annotations_.begin(), annotations_.end());
    result_.top.bytes = serialise_index(index);
    result_.top.descriptor = describe(index.media_type, result_.top.bytes);
    return std::move(result_);
  }

 private:
  void add_entry(Descriptor descriptor, const ImagePlace& place, std::size_t number) {
    fill_platform(descriptor, place);
    auto& entries = result_.entries;
    const auto same =
        std::ranges::find_if(entries, [&](const auto& entry) { return entry.descriptor.digest == descriptor.digest; });
    if (same != entries.end()) {
      if (!same->descriptor.platform) same->descriptor.platform = descriptor.platform;
      for (const auto& [key, value] : descriptor.annotations) same->descriptor.annotations[key] = value;
      return;
    }
    if (descriptor.platform && !is_attestation(descriptor)) replace_platform(*descriptor.platform);
    entries.push_back({std::move(descriptor), number});
  }

  // Those of an image that was named without its index.
  void add_attestations(const IndexSource& source, std::size_t number) {
    const Digest& image = source.descriptor.digest;
    for (const auto& listed : source.place.referrers(image)) {
      if (listed.artifact_type != media_type::k_attestation) continue;
      const auto referrer = read_referrer(source.place, listed, image);
      if (!referrer) continue;
      Descriptor attestation = referrer->descriptor;
      attestation.platform = {.os = "unknown", .arch = "unknown"};
      attestation.annotations = {{std::string(k_annotation_reference_type), "attestation-manifest"},
                                 {std::string(k_annotation_reference_digest), image}};
      add_entry(std::move(attestation), source.place, number);
    }
  }

  void replace_platform(const platforms::Platform& platform) {
    auto& entries = result_.entries;
    const auto old = std::ranges::find_if(entries, [&](const auto& entry) {
      return !is_attestation(entry.descriptor) && entry.descriptor.platform == platform;
    });
    if (old == entries.end()) return;
    result_.overridden.push_back(platforms::to_string(platform));
    const Digest gone = old->descriptor.digest;
    std::erase_if(entries, [&](const auto& entry) {
      return entry.descriptor.digest == gone || attested(entry.descriptor) == gone;
    });
  }

  void filter() {
    if (options_.platforms.empty()) return;
    std::vector<Digest> kept;
    for (const auto& wanted : options_.platforms) {
      const auto found = std::ranges::find_if(result_.entries, [&](const auto& entry) {
        return !is_attestation(entry.descriptor) && entry.descriptor.platform && *entry.descriptor.platform == wanted;
      });
      if (found == result_.entries.end()) {
        throw Error(ExitClass::usage, fmt::format("no source has an image for {}", platforms::to_string(wanted)));
      }
      kept.push_back(found->descriptor.digest);
    }
    const auto is_kept = [&](const Digest& digest) { return std::ranges::find(kept, digest) != kept.end(); };
    std::erase_if(result_.entries, [&](const auto& entry) {
      return !is_kept(entry.descriptor.digest) && !is_kept(attested(entry.descriptor));
    });
  }

  const CombineOptions& options_;
  CombinedIndex result_;
  std::map<std::string, std::string> annotations_;  // of the sources' indexes
};

}  // namespace

CombinedIndex combine_index(std::span<const IndexSource> sources, const CombineOptions& options) {
  check_places(options.annotations);
  const bool unchanged = options.annotations.empty() && options.platforms.empty();
  if (sources.size() == 1 && unchanged) {
    const auto& [place, descriptor] = sources.front();
    if (is_index_type(descriptor.media_type) || !options.prefer_index) {
      return {.top = {descriptor, place.read(descriptor)}, .entries = {{descriptor, 0}}, .overridden = {}};
    }
  }
  Combination combination(options);
  for (std::size_t i = 0; i < sources.size(); ++i) combination.add(sources[i], i);
  return combination.finish();
}

}  // namespace mbuild::image
