#include "executor/api/acceleration.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

TEST_CASE("Levels of acceleration have names") {
  CHECK(parse_acceleration("off") == Acceleration::off);
  CHECK(parse_acceleration("safe") == Acceleration::safe);
  CHECK(parse_acceleration("compilers") == Acceleration::compilers);
  CHECK(parse_acceleration("verify") == Acceleration::verify);
  CHECK_THROWS_AS(parse_acceleration(""), Error);
  CHECK_THROWS_AS(parse_acceleration("Safe"), Error);
}

TEST_CASE("What is verified has compilers, too") {
  CHECK(with_compilers(Acceleration::compilers));
  CHECK(with_compilers(Acceleration::verify));
  CHECK(!with_compilers(Acceleration::safe));
  CHECK(!with_compilers(Acceleration::off));
}
