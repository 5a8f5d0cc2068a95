#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cache/store.h"
#include "containers/shelf.h"
#include "executor/workplace.h"

// Directories of the store that containers share and that stay when these go, by name.
namespace mbuild::containers {

struct Volume {
  std::string name;
  std::string directory;     // what containers see
  std::int64_t created = 0;  // seconds since 1970
  std::vector<std::pair<std::string, std::string>> labels = {};
};

// Where the volumes of a store are: beside all that is collected.
std::string volumes_directory(const cache::Store& store);

// Throws Error (usage) unless it is a name as docker's.
void check_volume_name(const std::string& name);

// A name for one that nobody chose a name for.
std::string anonymous_volume_name();
bool is_anonymous_volume(const std::string& name);

// The volume of the name, made where it is missing; it belongs to the caller then.
Volume use_volume(const std::string& directory, const std::string& name);
// A new one; one that is there stays as it is.
Volume create_volume(const std::string& directory, const Volume& wanted);
// Whether nothing is in it yet.
bool is_empty(const Volume& volume);
// Names of those that containers have.
std::set<std::string> used_volumes(const cache::Store& store);
bool has_volume(const std::string& directory, const std::string& name);
// By name.
std::vector<Volume> list_volumes(const std::string& directory);

// Takes away those volumes without a chosen name that the container had and no other one has; their files go with the
// workplace. `container` may have been removed.
void remove_anonymous_volumes(executor::Workplace& workplace, const cache::Store& store, const Container& container);

// Deletes volumes with what is in them. Throws Error (usage) where one is not there, or a container has it; nothing is
// deleted then.
void remove_volumes(const std::string& store_root, const std::vector<std::string>& names);

struct PrunedVolumes {
  std::vector<std::string> removed, left;  // names; left: of those that no container has either
};
// Deletes those that are meant and that no container has; without `all`, only those that were made without a name.
PrunedVolumes prune_volumes(const std::string& store_root, bool all,
                            const std::function<bool(const Volume&)>& is_meant);

}  // namespace mbuild::containers
