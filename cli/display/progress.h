#pragma once

#include <memory>
#include <string>

#include "executor/api/events.h"

namespace mbuild::cli {

enum class ProgressMode { automatic, plain, tty, quiet, json };

// A display on standard error. `automatic` is tty on a terminal and plain elsewhere.
std::unique_ptr<executor::ProgressSink> make_progress(ProgressMode mode);

// Throws Error (usage) for an unknown name.
ProgressMode parse_progress_mode(const std::string& name);

}  // namespace mbuild::cli
