#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "containers/shelf.h"
#include "oci/image_config.h"

// What is said of a container, by docker's names.
namespace mbuild::cli {

inline constexpr std::size_t k_short_id = 12;  // digits of an id that are shown

// What its image and the user say that it is; empty where it has no image yet.
struct ContainerConfig {
  frontend::ImageConfig image;
  std::vector<std::string> argv;
};
ContainerConfig config_of_container(const containers::Container& container);

const char* state_name(containers::State state);
std::string network_text(const containers::NetworkChoice& network);
// "sha256:..." of the image that it stands on; "": it has none yet.
std::string image_digest_of(const containers::Container& container);
// "12kB (virtual 7.3MB)": what it has written, and with its image as that is kept.
std::string sizes_text(const containers::Container& container);

// What `inspect` shows. `size`: with what it has written.
nlohmann::ordered_json container_json(const containers::Container& container, bool size);

}  // namespace mbuild::cli
