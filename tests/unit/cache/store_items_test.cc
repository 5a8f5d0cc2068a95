#include "cache/store_items.h"

#include <stdexcept>

#include "base/fd.h"
#include "cache/store.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cache;
using mbuild::testing::TemporaryDirectory;

namespace {

StoreItem item(std::string id, std::int64_t used, std::uint64_t bytes = 1'000'000, std::int64_t cost_ms = 0) {
  StoreItem made;
  made.id = std::move(id);
  made.used = used;
  made.bytes = bytes;
  made.cost_ms = cost_ms;
  return made;
}

std::string order(const std::vector<StoreItem>& items) {
  std::string ids;
  for (const auto& one : items) ids += one.id;
  return ids;
}

void add(Store& store, const std::string& id) {
  make_directories(store.layer_path(id));
  store.add_layer({.id = id, .result_digest = "sha256:r" + id});
  store.add_record({.content_key = "sha256:k" + id, .layers = {id}});
  store.add_definition("sha256:d" + id, "sha256:i", "sha256:k" + id);
}

const StoreItem& named(const std::vector<StoreItem>& items, const std::string& id) {
  for (const auto& one : items) {
    if (one.id == id) return one;
  }
  throw std::out_of_range(id);
}

}  // namespace

TEST_CASE("what was not used for the longest time goes first, and no more than needed") {
  const std::vector<StoreItem> items = {item("b", 2000), item("c", 3000), item("a", 1000)};
  CHECK(order(choose_to_remove(items, 1)) == "a");
  CHECK(order(choose_to_remove(items, 1'000'001)) == "ab");
  CHECK(order(choose_to_remove(items, 99'000'000)) == "abc");
  CHECK(choose_to_remove(items, 0).empty());
}

TEST_CASE("what took long for its size is kept longer, though not for ever") {
  CHECK(order(choose_to_remove({item("a", 1000, 1'000'000, 1000), item("b", 4000)}, 2'000'000)) == "ba");
  CHECK(order(choose_to_remove({item("a", 1000, 1'000'000, 1000), item("b", 5000)}, 2'000'000)) == "ab");
  const std::int64_t month = 30LL * 24 * 3600;
  CHECK(worth_keeping_until(item("a", 0, 1, 1'000'000'000)) == month);
}

TEST_CASE("what a build uses or an image consists of stays") {
  auto held = item("a", 1), kept = item("b", 2);
  held.in_use = true;
  kept.kept = true;
  CHECK(order(choose_to_remove({held, kept, item("c", 3)}, 9'000'000)) == "c");
}

TEST_CASE("a layer goes with the records that name it") {
  const TemporaryDirectory directory;
  Store store(directory.path(), "map");
  add(store, "one");
  add(store, "two");
  const auto items = store.items();
  CHECK(items.size() == 2);
  const auto path = store.remove_item(named(items, "one"));
  REQUIRE(path);
  CHECK(path_exists(*path));
  CHECK_FALSE(path_exists(store.layer_path("one")));
  store.remove_dangling_rows();
  CHECK_FALSE(store.find_record("sha256:kone"));
  CHECK_FALSE(store.find_definition("sha256:done", "sha256:i"));
  CHECK_FALSE(store.find_layer("one"));
  CHECK(store.find_record("sha256:ktwo"));
  CHECK(store.find_definition("sha256:dtwo", "sha256:i"));
  CHECK(store.take_garbage() == std::vector<std::string>{*path});
}

TEST_CASE("what a running build has looked up is in use, until the build ends") {
  const TemporaryDirectory directory;
  Store store(directory.path(), "map");
  add(store, "one");
  {
    const BuildDirectory build(store);
    REQUIRE(store.find_layer("one"));
    const auto items = store.items();
    CHECK(named(items, "one").in_use);
    CHECK_FALSE(store.remove_item(named(items, "one")));
    CHECK(store.find_layer("one"));
  }
  CHECK_FALSE(named(store.items(), "one").in_use);
  CHECK(store.remove_item(named(store.items(), "one")));
}

TEST_CASE("a layer that was looked up between listing and removal stays") {
  const TemporaryDirectory directory;
  Store store(directory.path(), "map");
  add(store, "one");
  const auto before = store.items();
  const BuildDirectory build(store);
  REQUIRE(store.find_layer("one"));
  CHECK_FALSE(store.remove_item(named(before, "one")));
}

TEST_CASE("a blob is there until it is removed, and stays when it was used") {
  const TemporaryDirectory directory;
  Store store(directory.path(), "map");
  const std::string digest = "sha256:" + std::string(64, 'a');
  CHECK_FALSE(store.use_blob(digest));
  write_file_atomically(store.blob_path(digest), "blob");
  const auto items = store.items();
  {
    const BuildDirectory build(store);
    CHECK(store.use_blob(digest));
    CHECK_FALSE(store.remove_item(items.at(0)));
  }
  CHECK(store.remove_item(items.at(0)) == "");
  CHECK_FALSE(store.use_blob(digest));
}

TEST_CASE("a directory without a row is garbage unless a running build may be about to write the row") {
  const TemporaryDirectory directory;
  Store store(directory.path(), "map");
  {
    const BuildDirectory build(store);
    make_directories(store.layer_path("new"));
    CHECK(store.take_garbage().empty());
  }
  CHECK(store.take_garbage().size() == 1);
  CHECK_FALSE(path_exists(store.layer_path("new")));
}
