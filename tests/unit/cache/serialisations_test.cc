#include "cache/store.h"

#include "tests/catch.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;

TEST_CASE("A serialisation is found by every part of its key") {
  const Place place;
  Store store = place.open();
  const SerialisationKey key{.layer_id = "one", .compression = "gzip", .level = 9, .clamp_mtime = 0};
  const auto value = put_serialisation(store, key, "blob");
  const auto found = store.find_serialisation(key);
  REQUIRE(found);
  CHECK(found->diff_id == value.diff_id);
  CHECK(found->digest == value.digest);
  CHECK(found->size == 4);
  const auto missing = [&](auto change) {
    SerialisationKey other = key;
    change(other);
    return !store.find_serialisation(other);
  };
  CHECK(missing([](SerialisationKey& k) { k.layer_id = "two"; }));
  CHECK(missing([](SerialisationKey& k) { k.compression = "zstd"; }));
  CHECK(missing([](SerialisationKey& k) { k.level = -1; }));
  CHECK(missing([](SerialisationKey& k) { k.clamp_mtime = 1; }));
  CHECK(missing([](SerialisationKey& k) { k.clamp_mtime.reset(); }));
}

TEST_CASE("A serialisation whose blob is gone is a miss") {
  const Place place;
  Store store = place.open();
  const SerialisationKey key{.layer_id = "one", .compression = "none"};
  const auto value = put_serialisation(store, key, "blob");
  std::filesystem::remove(store.blob_path(value.digest));
  CHECK_FALSE(store.find_serialisation(key));
}
