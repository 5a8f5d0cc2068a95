#include "tests/needs.h"

#include "base/subprocess.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using mbuild::testing::mentions;

// Hidden: the tests below run this program for them.
TEST_CASE("a test that needs the moon", "[.needs]") {
  NEEDS(false, "the moon");
  FAIL("it went on");
}
TEST_CASE("another test that needs the moon", "[.needs]") {
  NEEDS(true, "air");
  NEEDS(false, "the moon");
  FAIL("it went on");
}

TEST_CASE("what a host lacks is counted and told") {
  const auto result = run_program({"/proc/self/exe", "[.needs]"}, {}, {}, {}, {"MBUILD_TEST_NO_SKIP"});
  CHECK(result.status == 0);
  CHECK(mentions(result.output, "2 skipped: for lack of the moon (2)"));
}

TEST_CASE("nothing may be skipped where that is demanded") {
  CHECK(run_program({"/proc/self/exe", "[.needs]"}, {}, {}, {}, {"MBUILD_TEST_NO_SKIP=1"}).status == 1);
}
