#include "cache/store.h"

#include "tests/catch.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;

TEST_CASE("A layer is found by its id and by what is in it") {
  const Place place;
  Store store = place.open();
  make_directories(store.layer_path("one"));
  store.add_layer({.id = "one",
                   .result_digest = "sha256:r",
                   .pulled = false,
                   .bytes = 10,
                   .files = 2,
                   .newest_mtime = 77,
                   .implied = {"usr", "usr/a\nb"}});
  for (const auto& found : {store.find_layer("one"), store.find_layer_by_result("sha256:r")}) {
    REQUIRE(found);
    CHECK(found->id == "one");
    CHECK(found->result_digest == "sha256:r");
    CHECK(found->bytes == 10);
    CHECK(found->files == 2);
    CHECK(found->newest_mtime == 77);
    CHECK(found->implied == std::vector<std::string>{"usr", "usr/a\nb"});
  }
  CHECK_FALSE(store.find_layer("two"));
  CHECK_FALSE(store.find_layer_by_result("sha256:s"));
}

TEST_CASE("A layer without implied directories has none when it is found") {
  const Place place;
  Store store = place.open();
  put_layer(store, "one");
  CHECK(store.find_layer("one")->implied.empty());
}

TEST_CASE("A layer whose directory is gone is a miss") {
  const Place place;
  Store store = place.open();
  put_layer(store, "one");
  std::filesystem::remove(store.layer_path("one"));
  CHECK_FALSE(store.find_layer("one"));
  CHECK_FALSE(store.find_layer_by_result("sha256:r"));
}

TEST_CASE("Of two layers with one result the one that is there is found") {
  const Place place;
  Store store = place.open();
  put_layer(store, "one");
  put_layer(store, "two");
  std::filesystem::remove(store.layer_path("one"));
  CHECK(store.find_layer_by_result("sha256:r")->id == "two");
}

TEST_CASE("A directory without a row is no layer") {
  const Place place;
  Store store = place.open();
  make_directories(store.layer_path("stray"));
  CHECK_FALSE(store.find_layer("stray"));
}

TEST_CASE("The diff id of a pulled layer is not taken for a result digest") {
  const Place place;
  Store store = place.open();
  make_directories(store.layer_path("pulled"));
  store.add_layer({.id = "pulled", .result_digest = "sha256:r", .pulled = true});
  CHECK(store.find_layer("pulled")->pulled);
  CHECK_FALSE(store.find_layer_by_result("sha256:r"));
}

TEST_CASE("Another id map has layers of its own") {
  const Place place;
  Store store = place.open("one");
  put_layer(store, "layer");
  CHECK_FALSE(place.open("two").find_layer("layer"));
  CHECK(place.open("one").find_layer("layer"));
}
