#include "base/clock.h"

#include "tests/catch.h"

using namespace mbuild;

TEST_CASE("A time is shown as RFC 3339 has it, in UTC") {
  CHECK(rfc3339(std::int64_t{0}) == "1970-01-01T00:00:00Z");
  CHECK(rfc3339(std::int64_t{1'709'251'199}) == "2024-02-29T23:59:59Z");
  CHECK(rfc3339(std::int64_t{-1}) == "1969-12-31T23:59:59Z");
  CHECK(rfc3339(std::chrono::nanoseconds(1'000'000'007)) == "1970-01-01T00:00:01.000000007Z");
  CHECK(rfc3339(std::chrono::nanoseconds(-1)) == "1969-12-31T23:59:59.999999999Z");
}

TEST_CASE("A time whose year has not four digits is shown as the nearest that has") {
  CHECK(rfc3339(std::int64_t{253'402'300'800}) == "9999-12-31T23:59:59Z");
  CHECK(rfc3339(std::int64_t{-62'167'219'201}) == "0000-01-01T00:00:00Z");
  CHECK(has_rfc3339(253'402'300'799));
  CHECK_FALSE(has_rfc3339(253'402'300'800));
  CHECK(has_rfc3339(-62'167'219'200));
  CHECK_FALSE(has_rfc3339(-62'167'219'201));
}
