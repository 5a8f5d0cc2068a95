#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "executor/api/build_request.h"
#include "executor/sources/scratch.h"

// The Dockerfile and the main context, from wherever the command line says they are.
namespace mbuild::executor {

struct Inputs {
  std::string dockerfile_name;  // as shown in messages
  std::string dockerfile_text;
  std::string context_directory;             // of the main context
  std::optional<std::string> ignore_text;    // of <file>.dockerignore beside the Dockerfile, where there is one
  bool context_ignored = true;               // false: .dockerignore does not apply (what is no local directory)
  std::optional<std::int64_t> context_time;  // of a remote context
};

// True when the main context is an address; a directory of that name goes before it.
bool is_remote_context(const TargetRequest& request);

// A context that comes as a tar or from an address is put in `scratch`. Throws Error (usage, network), Cancelled.
Inputs read_inputs(const SessionRequest& session, const TargetRequest& request, const Scratch& scratch,
                   std::stop_token stop);

}  // namespace mbuild::executor
