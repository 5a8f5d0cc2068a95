#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "cli/config/command.h"

// Flags of `docker run` that ask for what a container of mbuild has not. They are taken, and each is answered: with a
// line where the program runs all the same, with an error where it would not do what it was to do.
namespace mbuild::cli {

// What was given of them, in the order of the table. Addresses stay: the command line writes there.
struct DockerRunFlags {
  std::deque<std::vector<std::string>> values;
  std::deque<std::optional<bool>> switches;
};

void add_docker_run_flags(Command& command, DockerRunFlags& flags);
// Throws Error (usage) for what is not to be had; a line on standard error for what has no effect.
void answer_docker_run_flags(const DockerRunFlags& flags);

// --security-opt no-new-privileges, which is to be had.
bool asks_for_no_new_privileges(const DockerRunFlags& flags);

}  // namespace mbuild::cli
