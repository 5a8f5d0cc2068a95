#include "executor/api/acceleration.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

TEST_CASE("Levels of acceleration have names") {
  CHECK(parse_acceleration("off") == Acceleration::off);
  CHECK(parse_acceleration("safe") == Acceleration::safe);
  CHECK(parse_acceleration("verify") == Acceleration::verify);
  CHECK_THROWS_AS(parse_acceleration(""), Error);
  CHECK_THROWS_AS(parse_acceleration("Safe"), Error);
}
