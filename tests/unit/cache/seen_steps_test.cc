#include "cache/store.h"

#include "tests/catch.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;

TEST_CASE("Steps are remembered by build and place, the latest alone") {
  const Place place;
  Store store = place.open();
  store.remember_steps("b", {{"1", "k1", "old"}, {"2", "k2", std::string("x\0y", 3)}});
  store.remember_steps("b", {{"1", "k3", "new"}});
  store.remember_steps("other", {{"1", "k4", ""}});
  const auto seen = store.seen_steps("b");
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].key == "k3");
  CHECK(store.seen_inputs("b", "1") == "new");
  CHECK(store.seen_inputs("b", "2") == std::string("x\0y", 3));
  CHECK(store.seen_inputs("b", "3").empty());
}

TEST_CASE("Partial keys that were met are known to all who open the store later") {
  const Place place;
  {
    Store store = place.open();
    CHECK_FALSE(store.knows_partial_key("sha256:one"));
    store.add_partial_key("sha256:one");
    store.add_partial_key("sha256:one");
  }
  Store store = place.open();
  CHECK(store.knows_partial_key("sha256:one"));
  CHECK_FALSE(store.knows_partial_key("sha256:other"));
}
