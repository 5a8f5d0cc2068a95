#include "cache/store.h"

#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;

TEST_CASE("Audits, durations and downloads are kept by their names") {
  const Place place;
  Store store = place.open();
  const std::string findings("a\0b", 3);
  store.add_audit("one", "linux/arm64", findings);
  store.remember_duration("sha256:s", 1234);
  store.add_download("https://x", {"\"tag\"", "Monday", 7, "sha256:d", "layer"});
  CHECK(store.find_audit("one", "linux/arm64") == findings);
  CHECK_FALSE(store.find_audit("one", "linux/amd64"));
  CHECK(store.expected_duration_ms("sha256:s") == 1234);
  CHECK_FALSE(store.expected_duration_ms("sha256:t"));
  const auto download = store.find_download("https://x");
  REQUIRE(download);
  CHECK(download->etag == "\"tag\"");
  CHECK(download->last_modified == "Monday");
  CHECK(download->mtime == 7);
  CHECK(download->digest == "sha256:d");
  CHECK(download->layer_id == "layer");
}

TEST_CASE("A step runs in one build at a time") {
  const Place place;
  Store store = place.open(), other = place.open();
  const auto held = store.lock_step(sha256("step"), {});
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(other.lock_step(sha256("step"), stop.get_token()), Cancelled);
  CHECK(other.lock_layer(sha256("step"), stop.get_token()));
}

TEST_CASE("Steps whose keys are alike do not wait for each other") {
  const Place place;
  Store store = place.open(), other = place.open();
  const std::string digits(14, 'a');  // one less than what tells keys apart
  const auto key = [&](char digit) { return "sha256:" + digits + digit + std::string(49, '0'); };
  const auto held = store.lock_step(key('1'), {});
  std::stop_source stop;
  stop.request_stop();
  CHECK(store.lock_step(key('2'), stop.get_token()));
  CHECK(other.lock_step(key('2'), stop.get_token()));
  CHECK_THROWS_AS(other.lock_step(key('1'), stop.get_token()), Cancelled);
}

TEST_CASE("A cache mount's lock is that of its id") {
  const Place place;
  Store store = place.open();
  const auto held = store.lock_cache_mount("a/b", {});
  CHECK_FALSE(store.try_lock_cache_mount("a/b"));
  CHECK(store.try_lock_cache_mount("a_b"));
  CHECK(store.cache_mount_path("a/b") != store.cache_mount_path("a_b"));
}

TEST_CASE("Two stores of one place see each other's rows") {
  const Place place;
  Store first = place.open(), second = place.open();
  put_layer(first, "one");
  CHECK(second.find_layer("one"));
}

TEST_CASE("Many threads may open a new store at once") {
  const Place place;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        Store store = place.open();
        put_layer(store, std::to_string(t));
      });
    }
  }
  Store store = place.open();
  for (int t = 0; t < 4; ++t) CHECK(store.find_layer(std::to_string(t)));
}
