#include "cache/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "cache/database.h"
#include "tests/catch.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;
using mbuild::testing::ScopedVariable;

namespace {

// Without their logs and shared memory, which go with them.
std::vector<std::string> set_aside(const Place& place) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(place.directory / "store")) {
    const std::string name = entry.path().filename();
    const bool belongs_to_one = name.ends_with("-wal") || name.ends_with("-shm");
    if (name.starts_with("index.db.damaged-") && !belongs_to_one) found.push_back(entry.path());
  }
  return found;
}

// Overwrites the database behind its first page, which tells its kind and version.
void damage_behind_first_page(const std::string& path) {
  const auto size = std::filesystem::file_size(path);
  const Fd file = open_file(path, O_WRONLY);
  REQUIRE(::lseek(file.get(), 4096, SEEK_SET) == 4096);
  write_all(file.get(), std::string(size - 4096, '\xff'));
}

// Adds a row of each kind in a store of boot `one`.
void add_rows(Store& store) {
  put_layer(store, "layer");
  store.add_record({.content_key = "sha256:k", .layers = {"layer"}});
  store.add_definition("sha256:d", "sha256:i", "sha256:k");
  put_serialisation(store, {.layer_id = "layer", .compression = "none"}, "blob");
  store.add_download("https://x", {.digest = "sha256:x"});
}

std::size_t rows_found(Store& store) {
  return std::size_t{store.find_layer("layer").has_value()} + std::size_t{store.find_record("sha256:k").has_value()} +
         std::size_t{store.find_definition("sha256:d", "sha256:i").has_value()} +
         std::size_t{store.find_serialisation({.layer_id = "layer", .compression = "none"}).has_value()} +
         std::size_t{store.find_download("https://x").has_value()};
}

}  // namespace

TEST_CASE("An index of the first format is brought up to date and keeps its records") {
  const Place place;
  {
    Store store = place.open();
    put_layer(store, "one");
    Database index(place.index());
    index.execute(
        "DROP TABLE files; DROP TABLE seen_steps; CREATE TABLE steps(build TEXT); DROP TABLE partial_keys; CREATE "
        "TABLE files(digest TEXT);"
        "PRAGMA user_version=1");
  }
  Store store = place.open();
  CHECK(store.find_layer("one"));
  store.add_file_digests({{{.inode = 1}, k_one}});
  CHECK(find_one(store, {.inode = 1}) == k_one);
  store.remember_steps("b", {{"1", "k", ""}});
  CHECK(store.seen_steps("b").size() == 1);
}

TEST_CASE("Findings of the index's format 5 are a miss, and bases that have some are unpacked again") {
  const Place place;
  {
    Store store = place.open();
    for (const char* id : {"sound base", "audited base", "step"}) put_layer(store, id);
    for (const char* id : {"audited base", "step"}) store.add_audit(id, "linux/arm64", std::string(8, '\0'));
    Database index(place.index());
    index.execute("UPDATE layers SET pulled=1 WHERE id LIKE '%base'; PRAGMA user_version=5");
  }
  Store store = place.open();
  CHECK(store.find_layer("sound base"));
  CHECK_FALSE(store.find_layer("audited base"));
  CHECK(store.find_layer("step"));
  CHECK_FALSE(store.find_audit("step", "linux/arm64"));
}

TEST_CASE("Rows stay while the machine runs") {
  const Place place;
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
  {
    Store store = place.open();
    add_rows(store);
  }
  Store store = place.open();
  CHECK(rows_found(store) == 5);
}

TEST_CASE("Rows that were not made durable go with the boot that added them") {
  const Place place;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    add_rows(store);
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store = place.open();
  CHECK(rows_found(store) == 0);
}

TEST_CASE("Blobs that are newer than the last sync go with the boot, older ones stay") {
  const Place place;
  const auto blob = [](Store& store, const Digest& digest) {
    write_file_atomically(store.blob_path(digest), "blob");
    store.added_blob();
  };
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    blob(store, k_one);
    CHECK(store.has_volatile_rows());
    store.make_durable();
    blob(store, k_two);
    CHECK(place.open().use_blob(k_two));
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store = place.open();
  CHECK(store.use_blob(k_one));
  CHECK_FALSE(store.use_blob(k_two));
}

TEST_CASE("Durable rows outlive the boot that added them") {
  const Place place;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    add_rows(store);
    store.make_durable();
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store = place.open();
  CHECK(rows_found(store) == 5);
}

TEST_CASE("What is learnt of files and durations outlives a boot: it is checked against the files") {
  const Place place;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    store.remember_duration("sha256:s", 5);
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  CHECK(place.open().expected_duration_ms("sha256:s") == 5);
}

TEST_CASE("A store knows whether it added rows that a power cut could take") {
  const Place place;
  Store store = place.open();
  CHECK_FALSE(store.has_volatile_rows());
  store.remember_duration("sha256:s", 5);
  CHECK_FALSE(store.has_volatile_rows());
  put_layer(store, "one");
  CHECK(store.has_volatile_rows());
}

TEST_CASE("An index that is no database is set aside, and the store starts empty") {
  const Place place;
  {
    Store store = place.open();
    put_layer(store, "one");
  }
  for (const char* file : {"store/index.db-wal", "store/index.db-shm"}) std::filesystem::remove(place.directory / file);
  write_file_atomically(place.index(), std::string(8192, 'x'));
  Store store = place.open();
  CHECK_FALSE(store.find_layer("one"));
  put_layer(store, "two");
  CHECK(store.find_layer("two"));
  REQUIRE(set_aside(place).size() == 1);
  CHECK(read_file(set_aside(place)[0]) == std::string(8192, 'x'));
}

TEST_CASE("An index that a power cut damaged is set aside at the next boot") {
  const Place place;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    put_layer(store, "one");
    store.make_durable();
  }
  damage_behind_first_page(place.index());
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store = place.open();
  CHECK_FALSE(store.find_layer("one"));
  CHECK(set_aside(place).size() == 1);
}
