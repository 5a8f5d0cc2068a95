#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/config/command.h"
#include "containers/shelf.h"

// Commands on containers, each both at the top and below `container`.
namespace mbuild::cli {

void add_container_files_commands(Command& parent);  // cp, commit, diff, export
void add_import_command(Command& parent);
void add_container_life_commands(Command& parent);  // start, restart, rename
void add_stats_command(Command& parent);

// Does it with each of the containers, and prints the names of those that it was done with; of which it could not be
// done is told, and the others are done all the same. Returns the exit status.
int with_each(const containers::Shelf& shelf, const std::vector<std::string>& names,
              const std::function<void(const containers::Container&)>& work);
// The same where `first` takes its time: it is done with all of them at once, then `then` with one after the other.
int with_all(const containers::Shelf& shelf, const std::vector<std::string>& names,
             const std::function<void(const containers::Container&)>& first,
             const std::function<void(const containers::Container&)>& then);
// The same with names of anything, and nothing is printed of those that it was done with.
int for_each_name(const std::vector<std::string>& names, const std::function<void(const std::string&)>& work);
// Throws Error (usage) where --time or --signal is wrong.
void check_stop(const std::string& time, const std::string& signal);
// Seconds until SIGKILL: the value of --time, else the container's; negative: without end. Throws Error (usage).
double seconds_of(const std::string& text, const containers::Container& container);
// Says which of its limits can't be kept here, if any.
void warn_of_limits(const containers::Options& options);

}  // namespace mbuild::cli
