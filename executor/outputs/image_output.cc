#include "executor/outputs/image_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

LayerFormat layer_format(const Output& output, const TargetRequest& request, std::optional<std::int64_t> epoch) {
  const auto& wanted = output.image;
  LayerFormat format{.compression = wanted.compression,
                     .level = wanted.level,
                     .force = wanted.force_compression,
                     .clamp = clamp_of(output, request, epoch)};
  if (!format.level && request.reproducible) format.level = reproducible_level(format.compression);
  return format;
}

// Annotations need OCI's media types: as in BuildKit they win over oci-mediatypes=false.
image::MediaFlavour flavour_of(const ImageAttributes& wanted, bool annotated) {
  if (wanted.oci_media_types || annotated) return image::MediaFlavour::oci;
  if (wanted.compression == image::Compression::zstd)
    throw usage_error("exporter option \"compression=zstd\" conflicts with \"oci-mediatypes=false\"");
  return image::MediaFlavour::docker;
}

// What an image is to be called, with its tag.
std::string target_name(const std::string& name, bool push_by_digest) {
  auto reference = frontend::parse_reference(trim(name));
  if (!reference.digest.empty()) {
    throw usage_error(fmt::format("an image can't be given the name {}, which has a digest", name))
        .with_advice("Its digest is known when it is built: leave out what follows the @.");
  }
  if (push_by_digest && !reference.tag.empty()) {
    throw usage_error(fmt::format("can't push tagged ref {} by digest", name))
        .with_advice("Leave out the tag, or push-by-digest.");
  }
  return frontend::to_string(frontend::with_default_tag(std::move(reference)));
}

std::vector<std::string> names_of(const ImageAttributes& wanted, const TargetRequest& request) {
  std::vector<std::string> unique;
  for (const auto& name : wanted.names.empty() ? request.tags : wanted.names) {
    auto full = target_name(name, wanted.push && wanted.push_by_digest);
    if (std::ranges::find(unique, full) == unique.end()) unique.push_back(std::move(full));
  }
  if (wanted.push && unique.empty())
    throw usage_error("tag is needed when pushing to registry").with_advice("Name the image with -t HOST/NAME:TAG.");
  return unique;
}

}  // namespace

std::optional<std::int64_t> clamp_of(const Output& output, const TargetRequest& request,
                                     std::optional<std::int64_t> epoch) {
  if (!request.reproducible && !output.rewrite_timestamp) return std::nullopt;
  return output.epoch ? output.epoch : epoch;
}

ImageOutput image_output(const Output& output, const TargetRequest& request, std::optional<std::int64_t> epoch) {
  ImageOutput result;
  result.annotations = request.annotations;
  result.annotations.insert(result.annotations.end(), output.image.annotations.begin(), output.image.annotations.end());
  result.layers = layer_format(output, request, epoch);
  result.flavour = flavour_of(output.image, !result.annotations.empty());
  result.names = names_of(output.image, request);
  return result;
}

}  // namespace mbuild::executor
