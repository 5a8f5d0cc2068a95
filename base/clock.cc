#include "base/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace mbuild {
namespace {

constexpr std::int64_t k_first_second = -62'167'219'200;  // 0000-01-01T00:00:00Z
constexpr std::int64_t k_last_second = 253'402'300'799;   // 9999-12-31T23:59:59Z

std::string date_and_time(std::int64_t seconds) {
  const std::time_t time = std::clamp(seconds, k_first_second, k_last_second);
  std::tm utc = {};
  ::gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

bool has_rfc3339(std::int64_t seconds) { return seconds >= k_first_second && seconds <= k_last_second; }

std::string rfc3339(std::int64_t seconds) { return date_and_time(seconds) + "Z"; }

std::string rfc3339(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{}.{:09}Z", date_and_time(seconds.count()), (time - seconds).count());
}

}  // namespace mbuild
