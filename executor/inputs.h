#pragma once

#include <optional>
#include <string>

#include "executor/build_request.h"

// The Dockerfile and the main context, from wherever the command line says they are.
namespace mbuild::executor {

struct Inputs {
  std::string dockerfile_name;  // as shown in messages
  std::string dockerfile_text;
  std::string context_directory;           // of the main context
  std::optional<std::string> ignore_text;  // of <file>.dockerignore beside the Dockerfile, where there is one
  bool context_ignored = true;             // false: .dockerignore does not apply (a tar on standard input)
};

// `scratch` is a directory that lives as long as the build: a context that comes as a tar is unpacked there. Throws
// Error (usage).
Inputs read_inputs(const BuildRequest& request, const std::string& scratch);

}  // namespace mbuild::executor
