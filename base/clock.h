#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace mbuild {

// Seconds since 1970, by the clock of the host.
inline std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

inline std::int64_t unix_milliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

inline std::chrono::nanoseconds unix_nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
}

// A time since 1970 as "2026-01-31T23:59:59Z", with nine digits more in the second form. The year has four digits:
// times before and after those are shown as the first and the last that have.
std::string rfc3339(std::int64_t seconds);
std::string rfc3339(std::chrono::nanoseconds time);
// Whether it is shown as it is.
bool has_rfc3339(std::int64_t seconds);

}  // namespace mbuild
