#pragma once

#include <chrono>
#include <string>

namespace mbuild::containers {

// --since and --until of a log: "2026-01-31T10:00:00.5+02:00" (without what follows the day, the minute or the offset,
// too; of UTC then), seconds since 1970 ("1769853600.5"), or how long before `now` ("90s", "1h30m"). Since 1970. Throws
// Error (usage); `flag` is for the message.
std::chrono::nanoseconds parse_log_time(const std::string& flag, const std::string& text, std::chrono::nanoseconds now);

}  // namespace mbuild::containers
