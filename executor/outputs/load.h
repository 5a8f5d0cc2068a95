#pragma once

#include <stop_token>
#include <string>

#include "image/exporters.h"

namespace mbuild::executor {

// Hands a set of images to the container engine of this host: the Docker engine at the address `docker_host`, or, where
// that is "", the one that answers at /var/run/docker.sock, else Podman. Returns what was told about it ("podman:
// Loaded image: ..."). Throws Error: (host) where there is no engine or it refuses, (usage) where it can't hold several
// platforms.
std::string load_images(const image::ImageSet& set, const image::OpenBlob& open_blob, const std::string& docker_host,
                        std::stop_token stop);

}  // namespace mbuild::executor
