#pragma once

#include <string>
#include <vector>

#include "bake/outside.h"
#include "bake/target.h"

// Definition files: which there are, what kind each is, and all of them as one definition.
namespace mbuild::bake {

struct ReadRequest {
  std::vector<std::string> files;   // -f; none: those that the environment names, else the default names that exist
  std::string root;                 // directory of a remote definition; "": the working directory
  bool with_default_files = false;  // before `files`, those of the default names that exist
};

// Throws Error (usage), hcl::Failure.
Definition read_definition(const ReadRequest& request, const Outside& outside);

}  // namespace mbuild::bake
