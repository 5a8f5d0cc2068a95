#pragma once

#include <map>
#include <string>
#include <vector>

#include "bake/hcl/syntax.h"

// The bodies of all definition files as one: what is defined, by name. Nothing is evaluated.
namespace mbuild::bake {

struct DefinitionFile {
  hcl::File file;
  std::string directory;  // that contexts are relative to, where they are relative to their file
};

struct PlacedBlock {
  const hcl::Block* block;
  std::string name;
  std::string directory;
};

// Points into the files. A variable, function or value that is defined twice is the later one.
struct Parts {
  std::map<std::string, const hcl::Attribute*, std::less<>> values;
  std::map<std::string, const hcl::Block*, std::less<>> variables, functions;
  std::vector<PlacedBlock> groups, targets;  // in their order
  std::vector<std::string> warnings;         // of what nobody knows
};

// Throws hcl::Failure.
Parts parts_of(const std::vector<DefinitionFile>& files);

}  // namespace mbuild::bake
