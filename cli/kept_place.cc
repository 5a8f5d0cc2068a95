#include "cli/kept_place.h"

#include "base/error.h"
#include "base/fd.h"
#include "cli/config/store_root.h"
#include "executor/outputs/kept_images.h"
#include "executor/outputs/stored_images.h"
#include "oci/reference.h"

namespace mbuild::cli {

KeptPlaces::KeptPlaces(const std::string& root) {
  const std::string path = store_root(root);
  if (cache::is_store(path)) store_.reset(new cache::Store(executor::open_store(path)));
}

std::optional<image::ImagePlace> KeptPlaces::kept(const std::string& reference) {
  const bool is_path = reference.starts_with('/') || reference.starts_with('.') || path_exists(reference);
  if (!store_ || is_path || image::is_layout_reference(reference)) return std::nullopt;
  try {
    const auto name = frontend::to_string(frontend::with_default_tag(frontend::parse_reference(reference)));
    const auto found = store_->find_image(name);
    if (found) return executor::stored_place(*store_, *found);
  } catch (const Error&) {
    // It is no name; whoever looks elsewhere says so.
  }
  return std::nullopt;
}

image::ImagePlace KeptPlaces::find(const std::string& reference, const image::GetRegistry& registry,
                                   const std::stop_token& stop) {
  auto found = kept(reference);
  return found ? std::move(*found) : image::find_image_place(reference, registry, stop);
}

image::ImagePlace KeptPlaces::find_on_registry(const std::string& reference, const image::GetRegistry& registry,
                                               const std::stop_token& stop,
                                               const std::function<void(const Error&)>& instead) {
  auto found = kept(reference);
  if (!found) return image::find_image_place(reference, registry, stop);
  try {
    return image::find_image_place(reference, registry, stop);
  } catch (const Error& error) {
    if (instead) instead(error);
    return std::move(*found);
  }
}

}  // namespace mbuild::cli
