#pragma once

#include <map>
#include <string>
#include <vector>

#include "bake/compose/interpolation.h"
#include "bake/compose/yaml.h"
#include "bake/outside.h"

// Compose files as one: interpolated, with what they include and extend, and merged in their order.
namespace mbuild::bake::compose {

struct ComposeFile {
  std::string name;  // its path, or what stands for it in messages
  std::string text;
  std::string directory;  // that its contexts are relative to; "": that of the user
};

struct Project {
  Node services;  // by name; each has "build" as a mapping, if at all
  Node secrets;
  Lookup variable;  // --var, the environment, .env
};

// Reads .env and whatever the files name. `outside` has to outlive the project. Throws Error (usage).
Project load_project(const std::vector<ComposeFile>& files, const Outside& outside);

// True for text that is a compose file, of a file whose name does not say what it is.
bool looks_like_compose(const std::string& text);

}  // namespace mbuild::bake::compose
