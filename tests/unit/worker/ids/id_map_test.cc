#include "worker/ids/id_map.h"

#include <unistd.h>

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::executor {

TEST_CASE("subordinate ids are found by name and by number") {
  const auto ranges = parse_subordinate_ids("bob:100000:65536\nann:1:2\n1000:300000:10\n", "bob", 1000);
  CHECK(ranges == std::vector<IdRange>{{0, 100000, 65536}, {0, 300000, 10}});
}

TEST_CASE("an id that is the host's is no owner's") {
  for (const std::uint32_t id : {0u, 2147418111u, 4294901760u, 4294967294u}) check_image_owner(id, id, "x");
  for (const std::uint32_t id : {2147483648u, 4294901759u}) {
    CHECK_THROWS_WITH(check_image_owner(id, 0, "owner"),
                      "owner: uids and gids must be 0-2147418111 or 4294901760-4294967294");
    CHECK_THROWS_AS(check_image_owner(0, id, "owner"), Error);
  }
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

constexpr std::uint32_t k_half = 0x7fff0000;
constexpr IdRange k_high = {0xffff0000, 0xffff0000, 0xffff};

TEST_CASE("real root's map gives images ids that no account has, and the host's ids the upper half") {
  CHECK(real_root_ranges("", {0, 1000, 65534}) ==
        std::vector<IdRange>{{0, k_host_ids, k_half}, k_high, {k_host_ids, 0, k_half}});
}

TEST_CASE("root's subordinate ids come first in its map, and are no host ids in it") {
  CHECK(real_root_ranges("bob:300000:10\nroot:100000:65536\n", {}) ==
        std::vector<IdRange>{{0, 100000, 65536},
                             {65536, k_host_ids + 65536, k_half - 65536},
                             k_high,
                             {k_host_ids, 0, 100000},
                             {k_host_ids + 165536, 165536, k_half - 165536}});
}

TEST_CASE("ids that others have are not given to images") {
  const std::vector<IdRange> lower = {{0, 0x70000000, 0x0ffd0001},
                                      {0xffff0000, 0x7ffd0001, 0xffff},
                                      {k_host_ids, 0, 0x70000000},
                                      {k_host_ids + 0x7ffe0000, 0x7ffe0000, 0x10000}};
  CHECK(real_root_ranges("", {k_host_ids + 5}) == lower);
  CHECK(real_root_ranges("bob:4294901760:65535\n", {}) == lower);
  CHECK(real_root_ranges("", {k_host_ids + 5, 0x70000000}).empty());
  CHECK(real_root_ranges("root:100000:65536\n", {k_host_ids + 5, 0x70000000}) ==
        std::vector<IdRange>{
            {0, 100000, 65536}, {k_host_ids, 0, 100000}, {k_host_ids + 165536, 165536, k_half - 165536}});
}

TEST_CASE("ranges of root that overlap, or hold the host's root, are left out") {
  CHECK(real_root_ranges("root:0:10\nroot:100:10\nroot:105:10\n", {})[0] == IdRange{0, 100, 10});
  CHECK(real_root_ranges("root:0:10\nroot:100:10\nroot:105:10\n", {})[1].inside == 10);
}

TEST_CASE("an id map is read as it is written") {
  const std::vector<IdRange> map = {{0, 1000, 1}, {1, 100000, 65536}};
  CHECK(parse_id_map(id_map_text(map)) == map);
  CHECK(parse_id_map("         0          0 4294967295\n") == std::vector<IdRange>{{0, 0, 4294967295}});
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
