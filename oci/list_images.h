#pragma once

#include <vector>

#include "oci/select_image.h"

namespace mbuild::image {

struct PlatformImage {
  Descriptor descriptor;
  platforms::Platform platform;
};

// The images below `top`, attestations left out, in the order of the indexes.
std::vector<PlatformImage> list_images(const Descriptor& top, const ReadDocument& read);

}  // namespace mbuild::image
