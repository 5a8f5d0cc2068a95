#pragma once

#include <string>

#include "history/record.h"

namespace mbuild::history {

// The steps of a build as a Chrome trace (Trace Event Format, JSON Object Format), which chrome://tracing, Perfetto and
// speedscope show: a row holds steps that do not overlap, and each has what is known of it as arguments.
std::string chrome_trace(const Record& record);

}  // namespace mbuild::history
