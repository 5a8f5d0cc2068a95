#include "containers/log_time.h"

#include "base/clock.h"
#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::containers {
namespace {

std::string time_of(const std::string& text) {
  return rfc3339(parse_log_time("--since", text, std::chrono::seconds(1'769'853'600)));
}

}  // namespace

TEST_CASE("a time of a log is a date, seconds, or how long ago", "[containers]") {
  CHECK(time_of("2026-01-31T10:00:00Z") == "2026-01-31T10:00:00.000000000Z");
  CHECK(time_of("2026-01-31T10:00:00.25+02:00") == "2026-01-31T08:00:00.250000000Z");
  CHECK(time_of("2026-01-31T23:30:00-01:00") == "2026-02-01T00:30:00.000000000Z");
  CHECK(time_of("2026-01-31T10:05") == "2026-01-31T10:05:00.000000000Z");
  CHECK(time_of("2026-01-31") == "2026-01-31T00:00:00.000000000Z");
  CHECK(time_of("1769853600") == "2026-01-31T10:00:00.000000000Z");
  CHECK(time_of("1769853600.5") == "2026-01-31T10:00:00.500000000Z");
  CHECK(time_of("1h30m") == "2026-01-31T08:30:00.000000000Z");
  CHECK(time_of("90s") == "2026-01-31T09:58:30.000000000Z");
  for (const char* wrong : {"", "soon", "2026-13-01", "2026-02-30", "2026-01-31T25:00", "2026-01-31x", "-5", "1.5.5"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(time_of(wrong), Error);
  }
}

}  // namespace mbuild::containers
