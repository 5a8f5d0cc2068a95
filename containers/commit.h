#pragma once

#include <stop_token>
#include <string>

#include "base/digest.h"
#include "containers/shelf.h"
#include "executor/api/build_request.h"

namespace mbuild::containers {

struct CommitOptions {
  std::string name;  // "": by its digest alone
  std::string author, message;
  bool pause = true;  // its processes stand still meanwhile
};

// Keeps what a container has made of its image as another image, and returns the digest of that. Throws Error.
Digest commit(const executor::SessionRequest& session, const Container& container, const CommitOptions& options,
              const std::stop_token& stop);

}  // namespace mbuild::containers
