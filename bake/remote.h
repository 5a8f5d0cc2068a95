#pragma once

#include <stop_token>
#include <string>

#include "bake/outside.h"
#include "bake/selection.h"
#include "base/scratch_directory.h"
#include "executor/api/build_request.h"

// Definitions that are read from a git or http address. Their contexts are relative to what was fetched, but for those
// that begin with "cwd://".
namespace mbuild::bake {

class RemoteDefinition {
 public:
  // Fetches it. Credentials are BUILDX_BAKE_GIT_AUTH_TOKEN and BUILDX_BAKE_GIT_AUTH_HEADER. Throws Error (usage,
  // network), Cancelled.
  RemoteDefinition(const executor::SessionRequest& session, std::string address, const Outside& outside,
                   std::stop_token stop);
  RemoteDefinition(const RemoteDefinition&) = delete;
  RemoteDefinition& operator=(const RemoteDefinition&) = delete;

  std::string address;
  ScratchDirectory directory;  // what was fetched
  std::string file;            // in it, where the address is that of the definition file itself, else ""
};

// For --print: a context that is all of it is shown as its address.
void show_remote_contexts(const std::string& address, Selection& selection);
// For a build: contexts are what was fetched.
void place_remote_contexts(const std::string& directory, Selection& selection);

}  // namespace mbuild::bake
