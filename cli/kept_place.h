#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "cache/store.h"
#include "image/image_place.h"

namespace mbuild::cli {

// Images that the store keeps, among those that commands find by their references.
class KeptPlaces {
 public:
  // `root` as --root says it.
  explicit KeptPlaces(const std::string& root);
  KeptPlaces(const KeptPlaces&) = delete;
  KeptPlaces& operator=(const KeptPlaces&) = delete;

  // As image::find_image_place; a name that the store keeps means the image there, as it does to `run` and FROM. What
  // is returned is not to outlive this.
  image::ImagePlace find(const std::string& reference, const image::GetRegistry& registry, const std::stop_token& stop);
  // The same, but the registry is asked first: what it says counts, and the store is for what it has not, or where it
  // can't be asked: `instead` is told why then.
  image::ImagePlace find_on_registry(const std::string& reference, const image::GetRegistry& registry,
                                     const std::stop_token& stop,
                                     const std::function<void(const Error&)>& instead = {});

 private:
  std::optional<image::ImagePlace> kept(const std::string& reference);

  std::unique_ptr<cache::Store> store_;  // none: there is no store
};

}  // namespace mbuild::cli
