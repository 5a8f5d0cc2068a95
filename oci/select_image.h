#pragma once

#include <functional>
#include <string>
#include <vector>

#include "oci/manifest.h"
#include "platforms/platform.h"

// From a manifest or an image index, wherever it is kept, to the image for a platform.
namespace mbuild::image {

struct ImageDescription {
  Digest manifest_digest;
  std::string manifest_bytes;
  Manifest manifest;
  std::string config_bytes;
};

// The verified bytes of a manifest, index or configuration.
using ReadDocument = std::function<std::string(const Descriptor&)>;

// The image for a platform below `top`; `name` is for messages. With `any_platform`, an image that is alone there is
// meant whatever its platform. Throws Error (usage) that lists the platforms there are.
ImageDescription select_image(const Descriptor& top, const platforms::Platform& platform, const ReadDocument& read,
                              const std::string& name, bool any_platform);

// The platforms of the images below `top`, attestations left out.
std::vector<platforms::Platform> image_platforms(const Descriptor& top, const ReadDocument& read);

}  // namespace mbuild::image
