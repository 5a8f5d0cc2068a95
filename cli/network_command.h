#pragma once

#include "cli/config/command.h"

namespace mbuild::cli {

// `network`, with what is done to networks below it.
void add_network_command(Command& top);

}  // namespace mbuild::cli
