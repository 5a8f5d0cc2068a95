#include "base/size_text.h"

#include "tests/catch.h"

using namespace mbuild;

TEST_CASE("A size has four digits at most and a unit of powers of 1000") {
  CHECK(size_text(999) == "999B");
  CHECK(size_text(1234567) == "1.235MB");
  CHECK(size_text(999950) == "1MB");
}
