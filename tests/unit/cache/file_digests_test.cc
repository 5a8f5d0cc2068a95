#include "cache/store.h"

#include "tests/catch.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;

TEST_CASE("A file's digest is known until anything of its stamp changes") {
  const Place place;
  Store store = place.open();
  const FileStamp stamp{.device = ~0ULL, .inode = 2, .size = 3, .mtime_ns = -4, .ctime_ns = 5};
  store.add_file_digests({{stamp, k_one}, {{.device = 1, .inode = 9}, k_two}});
  CHECK(find_one(store, stamp) == k_one);
  CHECK(find_one(store, {.device = 1, .inode = 9}) == k_two);
  const auto missing = [&](auto change) {
    FileStamp other = stamp;
    change(other);
    return !find_one(store, other);
  };
  CHECK(missing([](FileStamp& s) { s.device = 1; }));
  CHECK(missing([](FileStamp& s) { s.inode = 9; }));
  CHECK(missing([](FileStamp& s) { s.size = 4; }));
  CHECK(missing([](FileStamp& s) { s.mtime_ns = 4; }));
  CHECK(missing([](FileStamp& s) { s.ctime_ns = 6; }));
}

TEST_CASE("A changed file's digest takes the place of the old one") {
  const Place place;
  Store store = place.open();
  const FileStamp before{.inode = 1, .mtime_ns = 1}, after{.inode = 1, .mtime_ns = 2};
  store.add_file_digests({{before, k_one}});
  store.add_file_digests({{after, k_two}});
  CHECK(find_one(store, after) == k_two);
  CHECK_FALSE(find_one(store, before));
}

TEST_CASE("Neighbouring inodes are told apart, and answers come in the order asked") {
  const Place place;
  Store store = place.open();
  std::vector<std::pair<FileStamp, Digest>> known;
  std::vector<FileStamp> asked;
  for (std::uint64_t inode = 1000; inode < 1300; ++inode) {
    const FileStamp stamp{.device = inode % 2, .inode = inode, .size = inode};
    known.emplace_back(stamp, sha256(std::to_string(inode)));
    asked.insert(asked.begin(), stamp);
  }
  store.add_file_digests(known);
  asked.push_back({.device = 0, .inode = 2000});
  const auto found = store.find_file_digests(asked);
  REQUIRE(found.size() == 301);
  CHECK(found[0] == sha256("1299"));
  CHECK(found[299] == sha256("1000"));
  CHECK_FALSE(found[300]);
}
