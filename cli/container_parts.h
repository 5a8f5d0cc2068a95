#pragma once

#include "cli/config/command.h"

// Commands on containers, each both at the top and below `container`.
namespace mbuild::cli {

void add_container_files_commands(Command& parent);  // cp, commit, diff
void add_container_life_commands(Command& parent);   // start, restart, rename
void add_stats_command(Command& parent);

}  // namespace mbuild::cli
