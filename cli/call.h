#pragma once

#include <stop_token>
#include <string>

#include "executor/api/build_request.h"

// --call: questions about a Dockerfile instead of a build of it.
namespace mbuild::cli {

struct Call {
  std::string name = "build";  // build, check, outline, targets, subrequests.describe
  bool json = false;
  bool ignores_status = false;
};

// "check", "lint" (the same), "outline,format=json". Throws Error (usage).
Call parse_call(const std::string& text);

// Prints the answer on standard output and returns the status of the program; `call` is no build.
int answer_call(const Call& call, const executor::BuildRequest& request, std::stop_token stop);

}  // namespace mbuild::cli
