#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/digest.h"
#include "containers/shelf.h"
#include "executor/api/build_request.h"
#include "oci/image_config.h"

namespace mbuild::containers {

struct CommitOptions {
  std::string name;  // "": by its digest alone
  std::string author, message;
  std::vector<std::string> changes;  // instructions that change the configuration
  bool pause = true;                 // its processes stand still meanwhile
};

// A configuration after instructions of a Dockerfile ("CMD", "ENV", ...). Throws Error (usage).
frontend::ImageConfig with_changes(const frontend::ImageConfig& config, const std::vector<std::string>& changes);

// Keeps what a container has made of its image as another image, and returns the digest of that. Throws Error.
Digest commit(const executor::SessionRequest& session, const Container& container, const CommitOptions& options,
              const std::stop_token& stop);

}  // namespace mbuild::containers
