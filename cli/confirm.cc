#include "cli/confirm.h"

#include <unistd.h>

#include <iostream>

#include "base/strings.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {

bool confirm_removal(const std::string& what, const std::string& command) {
  say("WARNING: this removes {}.\n", what);
  if (::isatty(STDIN_FILENO) != 1) {
    say("Nothing was removed: there is no terminal to ask. `{}` removes without a question.\n", command);
    return false;
  }
  say("Continue? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (iequals(trim(answer), "y") || iequals(trim(answer), "yes")) return true;
  say("Nothing was removed.\n");
  return false;
}

}  // namespace mbuild::cli
