#include "executor/id_map.h"

#include <unistd.h>

#include "tests/catch.h"

namespace mbuild::executor {

TEST_CASE("subordinate ids are found by name and by number") {
  const auto ranges = parse_subordinate_ids("bob:100000:65536\nann:1:2\n1000:300000:10\n", "bob", 1000);
  CHECK(ranges == std::vector<IdRange>{{0, 100000, 65536}, {0, 300000, 10}});
}

TEST_CASE("malformed subordinate id lines are skipped") {
  CHECK(parse_subordinate_ids("bob:x:1\nbob:1\nbob:1:0\nbob:4294967295:2\n\n# bob\n", "bob", 1000).empty());
}

TEST_CASE("an account without a name matches its number only") {
  CHECK(parse_subordinate_ids(":1:2\n7:3:4\n", "", 7) == std::vector<IdRange>{{0, 3, 4}});
}

TEST_CASE("the digest of a map tells ranges, kinds and order apart") {
  const IdMap one{{{0, 0, 10}}, {{0, 0, 10}}, false, false};
  IdMap other = one;
  CHECK(one.digest() == other.digest());
  other.helpers = true;  // how it is written does not change what ids mean
  CHECK(one.digest() == other.digest());
  other.single = true;
  CHECK(one.digest() != other.digest());
  other = one;
  other.gids[0].count = 11;
  CHECK(one.digest() != other.digest());
  other = {{{0, 0, 10}, {0, 0, 10}}, {}, false, false};
  CHECK(one.digest() != other.digest());
}

TEST_CASE("without ranges the map has this user's one id") {
  ::setenv("MBUILD_TEST_DISABLE", "userns-ranges", 1);
  const IdMap map = compute_id_map();
  ::unsetenv("MBUILD_TEST_DISABLE");
  CHECK(map.single);
  CHECK(map.owner_mode() == image::OwnerMode::attributes);
  CHECK(map.uids == std::vector<IdRange>{{0, ::geteuid(), 1}});
}

}  // namespace mbuild::executor
