#include <fmt/format.h>

#include "base/error.h"
#include "image/exporters.h"

namespace mbuild::image {

FinishedImage assemble_image(const frontend::ImageConfig& config, std::vector<Descriptor> layers,
                             const platforms::Platform& platform, MediaFlavour flavour,
                             const std::map<std::string, std::string>& annotations, const std::string& artifact_type) {
  if (config.diff_ids.size() != layers.size()) {
    throw Error(ExitClass::internal,
                fmt::format("an image has {} layers but {} diff ids", layers.size(), config.diff_ids.size()));
  }
  const bool docker = flavour == MediaFlavour::docker;
  FinishedImage image;
  image.platform = platform;
  frontend::ImageConfig own = config;
  own.platform = platform;
  image.config_bytes = frontend::serialise_image_config(own);
  image.config = describe(docker ? media_type::k_docker_config : media_type::k_oci_config, image.config_bytes);
  for (Descriptor& layer : layers) {
    layer.media_type = layer_type_in(layer.media_type, flavour);
    layer.platform.reset();
    if (docker) layer.annotations.clear();
  }
  image.layers = std::move(layers);

  Manifest manifest;
  manifest.media_type = docker ? media_type::k_docker_manifest : media_type::k_oci_manifest;
  manifest.config = image.config;
  manifest.layers = image.layers;
  if (!docker) {
    manifest.artifact_type = artifact_type;
    manifest.annotations = annotations;
  }
  image.manifest_bytes = serialise_manifest(manifest);
  image.manifest = describe(manifest.media_type, image.manifest_bytes);
  image.manifest.platform = platform;
  return image;
}

TopLevel top_level(const ImageSet& set) {
  if (set.images.empty()) throw Error(ExitClass::internal, "an export without images");
  if (set.images.size() == 1) return {set.images.front().manifest, set.images.front().manifest_bytes};
  const bool docker = set.flavour == MediaFlavour::docker;
  Index index;
  index.media_type = docker ? media_type::k_docker_index : media_type::k_oci_index;
  for (const FinishedImage& image : set.images) index.manifests.push_back(image.manifest);
  if (!docker) index.annotations = set.index_annotations;
  TopLevel top;
  top.bytes = serialise_index(index);
  top.descriptor = describe(index.media_type, top.bytes);
  return top;
}

}  // namespace mbuild::image
