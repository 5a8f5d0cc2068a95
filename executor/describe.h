#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "executor/api/build_request.h"
#include "frontend/outline.h"

// Calls that ask the frontend about a Dockerfile and build nothing.
namespace mbuild::executor {

// What `--call=check` asks for: the warnings, and the error that a build would end with, if there is one.
struct CheckResult {
  std::vector<frontend::dockerfile::Warning> warnings;
  std::optional<std::string> error;
  int error_line = 0;  // where that is, the first of several; 0 when it has no place
  std::string dockerfile_name, dockerfile_text;
  std::vector<std::string> left_out;  // images and sources that BuildRequest::offline left out
};
CheckResult run_check(const BuildRequest& request, std::stop_token stop);

// What --call=outline and --call=targets ask for. Throws Error, Cancelled.
struct Described {
  std::string dockerfile_text;
  frontend::Outline outline;
  std::vector<frontend::Target> targets;
  std::vector<std::string> left_out;
};
Described run_outline(const BuildRequest& request, std::stop_token stop);
Described run_targets(const BuildRequest& request, std::stop_token stop);

}  // namespace mbuild::executor
