#pragma once

#include "cli/config/command.h"

namespace mbuild::cli {

// `volume`, with what is done to volumes below it.
void add_volume_command(Command& top);

}  // namespace mbuild::cli
