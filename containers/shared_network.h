#pragma once

#include <string>

#include "base/fd.h"
#include "containers/shelf.h"

namespace mbuild::containers {

// What a container needs to be in the network of another one.
struct SharedNetwork {
  Fd user, network;  // namespaces; `network` is none where it is the host's
  std::string resolv_conf;
  std::string hosts;  // the path of a file that is /etc/hosts; "": it has the usual one
  std::string hostname;
};

// Throws Error (usage) where there is no such container, or it does not run.
SharedNetwork network_of_container(const Shelf& shelf, const std::string& id);

}  // namespace mbuild::containers
