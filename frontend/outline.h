#pragma once

#include <optional>
#include <string>
#include <vector>

#include "frontend/frontend.h"

// What a Dockerfile offers to who builds it, for --call=outline and --call=targets.
namespace mbuild::frontend {

// A build argument, secret or ssh id that the target uses.
struct OutlineItem {
  std::string name;
  std::string value;        // of an argument
  std::string description;  // of an argument: "# NAME text" above it
  bool required = false;    // of a secret or ssh id
  dockerfile::Range range;
};

struct Outline {
  std::string name, description;                     // of the target stage
  std::vector<OutlineItem> arguments, secrets, ssh;  // in line order
};

// The outline of Request::target, with the request's arguments. Base images need not be there. Throws Error (usage).
Outline outline(const Request& request);

struct Target {
  std::string name;                         // "" for a stage without one
  std::string description, base, platform;  // as written
  bool is_default = false;
  dockerfile::Range range;
};

std::vector<Target> targets(const dockerfile::Dockerfile& dockerfile);

}  // namespace mbuild::frontend
