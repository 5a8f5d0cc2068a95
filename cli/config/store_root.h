#pragma once

#include <memory>
#include <string>

#include "cli/config/command.h"

namespace mbuild::cli {

// The value of a variable of the environment, "" when it is not set.
std::string environment_variable(const char* name);

// --root DIR.
void add_root_option(Command& command, std::string& root);

// Adds a command that works in the store that --root names: `action` does it, with the flags.
template <class Flags>
Command add_store_command(Command& parent, const std::shared_ptr<Flags>& flags, const std::string& name,
                          const std::string& help, int (*action)(const Flags&), const std::string& alias = "") {
  Command command = parent.add(name, help, alias);
  add_root_option(command, flags->root);
  command.run([flags, action] { return action(*flags); });
  return command;
}

// The directory of the store as an absolute path: `given`, else $MBUILD_ROOT, $XDG_DATA_HOME/mbuild,
// ~/.local/share/mbuild. Where there is no home directory that can be written: that of the account, /var/lib/mbuild for
// root, or a directory of the user's own below /var/tmp or /tmp, and a line on standard error that says so. Throws
// Error.
std::string store_root(const std::string& given);

}  // namespace mbuild::cli
