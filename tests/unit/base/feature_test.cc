#include "base/feature.h"

#include <cstdlib>

#include "tests/catch.h"

namespace mbuild {

TEST_CASE("MBUILD_TEST_DISABLE is a list of names") {
  ::setenv("MBUILD_TEST_DISABLE", "overlay, binfmt-ns", 1);
  CHECK(feature_disabled("overlay"));
  CHECK(feature_disabled("binfmt-ns"));
  CHECK_FALSE(feature_disabled("binfmt"));
  ::unsetenv("MBUILD_TEST_DISABLE");
  CHECK_FALSE(feature_disabled("overlay"));
}

}  // namespace mbuild
