#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cache/store.h"

// Directories of the store that containers share and that stay when these go, by name.
namespace mbuild::containers {

struct Volume {
  std::string name;
  std::string directory;     // what containers see
  std::int64_t created = 0;  // seconds since 1970
};

// Where the volumes of a store are: beside all that is collected.
std::string volumes_directory(const cache::Store& store);

// Throws Error (usage) unless it is a name as docker's.
void check_volume_name(const std::string& name);

// The volume of the name, made where it is missing; it belongs to the caller then.
Volume use_volume(const std::string& directory, const std::string& name);
// Whether nothing is in it yet.
bool is_empty(const Volume& volume);
// By name.
std::vector<Volume> list_volumes(const std::string& directory);

// Deletes volumes with what is in them. Throws Error (usage) where one is not there, or a container has it; nothing is
// deleted then.
void remove_volumes(const std::string& store_root, const std::vector<std::string>& names);
// Deletes those that no container has; their names.
std::vector<std::string> prune_volumes(const std::string& store_root);

}  // namespace mbuild::containers
