#pragma once

#include <string>

namespace mbuild::cli {

// Nothing is removed but by who says so: asks on a terminal, after a warning that this removes `what`. Where there is
// no terminal to ask, says that `command` removes without a question. False: nothing is to be removed.
bool confirm_removal(const std::string& what, const std::string& command);

}  // namespace mbuild::cli
