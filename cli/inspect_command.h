#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cache/store.h"
#include "cli/config/command.h"

// What `inspect` shows of things of all kinds, by docker's names.
namespace mbuild::cli {

// Prints what `find` has for each name: as one JSON array, or each by a format ("json", or a template). What is not
// found is told of, and the others are shown. Returns the exit status.
int show_inspected(const std::vector<std::string>& names, const std::string& format,
                   const std::function<nlohmann::ordered_json(const std::string& name)>& find);

// An image of the store by name or digest, for a platform ("": this machine's, or the only one that there is); a
// volume; a network. Throw Error (usage) where there is none.
nlohmann::ordered_json image_json(cache::Store& store, const std::string& word, const std::string& platform);
nlohmann::ordered_json volume_json(const cache::Store& store, const std::string& name);
nlohmann::ordered_json network_json(const cache::Store& store, const std::string& name);

// `inspect` of everything, and that of containers alone.
void add_inspect_command(Command& top);
void add_container_inspect(Command& container);

}  // namespace mbuild::cli
