#pragma once

#include <string>

namespace mbuild::executor {

// After a build that added rows, a detached child makes them durable and keeps the store at `store_root` within its
// bounds: the one thing that outlives a build. A failure to start it costs a rebuild after a power cut, and is not
// told.
void start_upkeep(const std::string& store_root);

}  // namespace mbuild::executor
