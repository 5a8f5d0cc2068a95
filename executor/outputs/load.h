#pragma once

#include <stop_token>
#include <string>

#include "image/exporters.h"

namespace mbuild::executor {

struct LoadedImages {
  std::string told;                // by the engine ("podman: Loaded image: ...")
  bool known_by_manifest = false;  // the engine's id of an image is the digest of its manifest, not of its config
};

// Hands a set of images to the container engine of this host: the Docker engine at the address `docker_host`, or, where
// that is "", the one that answers at /var/run/docker.sock, else Podman. Throws Error: (host) where there is no engine
// or it refuses, (usage) where it can't hold several platforms.
LoadedImages load_images(const image::ImageSet& set, const image::OpenBlob& open_blob, const std::string& docker_host,
                         std::stop_token stop);

// Whether there is a Docker engine that would be handed images: the one at `docker_host`, or the one of this host.
bool has_docker_engine(const std::string& docker_host, const std::stop_token& stop);

}  // namespace mbuild::executor
