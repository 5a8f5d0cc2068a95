#include "executor/images.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/error.h"
#include "image/oci_layout.h"

namespace mbuild::executor {

std::vector<frontend::ResolvedImage> ImageSources::resolve(const std::vector<frontend::ImageQuery>& queries) {
  std::vector<frontend::ResolvedImage> answers;
  for (const auto& query : queries) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto known = resolved_.find(query); known != resolved_.end()) {
        answers.push_back(known->second);
        continue;
      }
    }
    answers.push_back(resolve_one(query));
    const std::lock_guard lock(mutex_);
    resolved_.emplace(query, answers.back());
  }
  return answers;
}

frontend::ResolvedImage ImageSources::resolve_one(const frontend::ImageQuery& query) {
  if (!query.reference.starts_with("oci-layout://")) {
    throw Error(ExitClass::network, fmt::format("failed to resolve source metadata for {}: no registry is configured for it",
                                                query.reference))
        .with_advice("Give the image as a layout: --build-context NAME=oci-layout://DIR:TAG.");
  }
  const auto reference = image::parse_layout_reference(query.reference);
  const auto description = image::read_layout_image(reference, query.platform);
  frontend::ResolvedImage resolved;
  resolved.identifier = fmt::format("image://{}@{}", query.reference, description.manifest_digest);
  resolved.config = frontend::parse_image_config(description.config_bytes);
  if (resolved.config.diff_ids.size() != description.manifest.layers.size()) {
    throw Error(ExitClass::network, fmt::format("{}: the manifest has {} layers but the configuration names {}", query.reference,
                                                description.manifest.layers.size(), resolved.config.diff_ids.size()));
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < resolved.config.diff_ids.size(); ++i) {
    const auto& descriptor = description.manifest.layers[i];
    by_diff_id_.emplace(resolved.config.diff_ids[i], Origin{descriptor, reference.directory});
    layout_of_blob_.emplace(descriptor.digest, reference.directory);
  }
  return resolved;
}

image::Descriptor ImageSources::layer_descriptor(const Digest& diff_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_diff_id_.find(diff_id);
  if (found == by_diff_id_.end()) throw Error(ExitClass::internal, "no image of this build has the layer " + diff_id);
  return found->second.descriptor;
}

Fd ImageSources::open_blob(const image::Descriptor& descriptor) const {
  const std::string path = store_.blob_path(descriptor.digest);
  if (path_exists(path)) return open_file(path, O_RDONLY);
  std::string layout;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = layout_of_blob_.find(descriptor.digest); found != layout_of_blob_.end()) layout = found->second;
  }
  if (layout.empty()) {
    throw Error(ExitClass::store, "the store has lost the blob " + descriptor.digest)
        .with_advice("Run the build again; if it stays so, remove the store's index.db.");
  }
  return image::open_layout_blob(layout, descriptor);
}

}  // namespace mbuild::executor
