#pragma once

#include <string>
#include <vector>

#include "containers/failed_shell.h"

// Looking into a RUN that failed, from the terminal of this process.
namespace mbuild::cli {

// Whether a shell can be opened: standard input and output are a terminal.
bool has_terminal();

// `mbuild debug`, as it is to be typed for this store.
std::string debug_command(const std::string& store_root);

// Says what failed where, then visits it; the status of what was run there.
int visit_from_here(const executor::SessionRequest& session, const executor::FailedStep& step, containers::Visit visit);

// After a build that failed: the shell, where one is asked for and there is a terminal. What keeps it from being opened
// is told, and nothing else. No other thread may be there that waits for signals.
void visit_after_build(const executor::SessionRequest& session, const executor::TargetRequest& given,
                       const std::string& failed_step);

}  // namespace mbuild::cli
