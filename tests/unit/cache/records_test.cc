#include "cache/store.h"

#include "tests/catch.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;

TEST_CASE("A step record comes back as it was added, outputs that changed nothing included") {
  const Place place;
  Store store = place.open();
  store.add_record({.content_key = "sha256:k",
                    .layers = {"one", "", "two"},
                    .created = 5,
                    .duration_ms = 6,
                    .emulator = "qemu 7.2",
                    .name = "RUN 'x'"});
  const auto found = store.find_record("sha256:k");
  REQUIRE(found);
  CHECK(found->layers == std::vector<std::string>{"one", "", "two"});
  CHECK(found->created == 5);
  CHECK(found->duration_ms == 6);
  CHECK(found->emulator == "qemu 7.2");
  CHECK(found->name == "RUN 'x'");
  CHECK_FALSE(store.find_record("sha256:other"));
}

TEST_CASE("A later record takes the place of an earlier one") {
  const Place place;
  Store store = place.open();
  store.add_record({.content_key = "sha256:k", .layers = {"one"}});
  store.add_record({.content_key = "sha256:k", .layers = {"two"}});
  CHECK(store.find_record("sha256:k")->layers == std::vector<std::string>{"two"});
}

TEST_CASE("A definition leads to a content key for exactly the inputs that it had") {
  const Place place;
  Store store = place.open();
  store.add_definition("sha256:d", "sha256:i", "sha256:k");
  CHECK(store.find_definition("sha256:d", "sha256:i") == "sha256:k");
  CHECK_FALSE(store.find_definition("sha256:d", "sha256:j"));
  CHECK_FALSE(store.find_definition("sha256:e", "sha256:i"));
}
