#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "image/image_place.h"

// Images from one place to another, without unpacking anything.
namespace mbuild::image {

struct ImageTarget {
  std::string name;  // "docker.io/library/app:1", "oci-layout://DIR:TAG"
  std::optional<remote::Repository> repository;
  std::string layout;  // directory
  std::string tag;     // "": by digest only
};

// "HOST/NAME[:TAG]" or "oci-layout://DIR[:TAG]". Throws Error (usage).
ImageTarget parse_image_target(std::string_view reference);

// Copies a manifest or index with all that it needs and all that refers to it (signatures, SBOMs), unless the target
// has it; blobs of another repository of the same registry are mounted. Every blob is verified on its way. No tag is
// set, but for the list of referrers on a registry that keeps none.
void copy_content(const ImagePlace& from, const Descriptor& descriptor, const ImageTarget& to,
                  const GetRegistry& registry, const std::stop_token& stop);
// Puts a manifest or index whose parts are there already, and sets the target's tag to it.
void put_top(const Descriptor& descriptor, const std::string& bytes, const ImageTarget& to, const GetRegistry& registry,
             const std::stop_token& stop);

}  // namespace mbuild::image
