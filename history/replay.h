#pragma once

#include "executor/api/events.h"
#include "history/record.h"

namespace mbuild::history {

// Tells a display of a past build as if it ran now: the times between its events are those of the record.
void replay(const Record& record, executor::ProgressSink& sink);

}  // namespace mbuild::history
