#pragma once

#include "cli/config/command.h"

namespace mbuild::cli {

// `ps`, or `ls` of `container`.
Command add_ps_command(Command& parent, const char* name, const char* alias);

}  // namespace mbuild::cli
