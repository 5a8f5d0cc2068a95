#include "cache/space_policy.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild::cache;
using mbuild::testing::error_of;

TEST_CASE("An amount is a number of bytes or a share of the file system") {
  CHECK(in_bytes(parse_amount("2k"), 1000) == 2048);
  CHECK(in_bytes(parse_amount(" 15 %"), 1000) == 150);
  CHECK(in_bytes(parse_amount("0"), 1000) == 0);
  CHECK(error_of([] { parse_amount("101%"); }) == "2 invalid size: '101%'");
  CHECK(error_of([] { parse_amount("%"); }) == "2 invalid size: '%'");
  CHECK(error_of([] { parse_amount("much"); }) == "2 invalid size: 'much'");
}

TEST_CASE("The default policy follows the size of the file system up to a bound") {
  const auto small = default_space_policy(1'000'000'000);
  CHECK(small.max_used == 800'000'000);
  CHECK(small.min_free == 200'000'000);
  CHECK(small.reserved == 100'000'000);
  const auto large = default_space_policy(10'000'000'000'000);
  CHECK(large.max_used == 100'000'000'000);
  CHECK(large.reserved == 10'000'000'000);
}
