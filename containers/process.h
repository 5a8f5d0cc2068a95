#pragma once

#include <string>
#include <vector>

#include "containers/options.h"
#include "graph/graph.h"
#include "oci/image_config.h"

// What is run in a container: what the image says, and what the user says in its place.
namespace mbuild::containers {

// The program with its surroundings; mounts[0] is the root. Throws Error (usage) where there is no program to run.
graph::ExecOp process_of(const frontend::ImageConfig& image, const Options& options);

// The image's configuration as a container has it: with what the user said in its place.
frontend::ImageConfig config_of(frontend::ImageConfig image, const Options& options);

// A volume of a new name for each VOLUME of the image that the user has nothing in the place of.
std::vector<HostBind> volumes_of(const frontend::ImageConfig& image, const Options& options);

// The numbers of the capabilities that the program may have, sorted. Throws Error (usage) for a name that is none.
std::vector<int> capabilities_of(const std::vector<std::string>& add, const std::vector<std::string>& drop);

// "TERM", "SIGTERM", "15". Throws Error (usage).
int signal_number(const std::string& name);

}  // namespace mbuild::containers
