#include "cache/store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;
using mbuild::testing::error_of;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) < 0 ? 0 : status.st_mode & 07777;
}

// What others may do with the files of a store: "" when nothing.
std::string open_to_others(const std::string& root) {
  std::string found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    if ((mode_of(entry.path()) & 077) != 0) found += entry.path().filename().string() + " ";
  }
  return found;
}

// A list that gives the user 1 everything and others nothing, as the kernel takes it.
bool set_default_list(const std::string& directory) {
  const std::uint32_t none = 0xffffffff;
  const std::uint32_t entries[][3] = {{1, 7, none}, {2, 7, 1}, {4, 5, none}, {16, 7, none}, {32, 0, none}};
  std::string value = {2, 0, 0, 0};
  for (const auto& [tag, permissions, id] : entries) {
    for (const auto number : {tag, permissions}) value += {static_cast<char>(number), 0};
    value.append(reinterpret_cast<const char*>(&id), sizeof id);
  }
  return ::setxattr(directory.c_str(), "system.posix_acl_default", value.data(), value.size(), 0) == 0;
}

}  // namespace

TEST_CASE("A store of another owner is refused") {
  const Place place;
  place.open();
  write_file_atomically(place.directory / "store/VERSION", fmt::format("mbuild store 1\nowner {}\n", ::geteuid() + 1));
  CHECK(error_of([&] { place.open(); }).starts_with("4 the store "));
}

TEST_CASE("A store is private, whatever it was and whatever the umask is") {
  const Place place;
  const std::string root = place.directory / "store";
  make_directories(root, 0755);
  const mode_t before = ::umask(0);
  {
    Store store = place.open();
    const auto locked = store.lock_step(k_one, {});
    const BuildDirectory build(store);
    CHECK(mode_of(root) == 0700);
    CHECK(open_to_others(root) == "");
  }
  for (const char* name : {"", "/VERSION", "/index.db"}) ::chmod((root + name).c_str(), 0755);
  place.open();
  ::umask(before);
  CHECK(mode_of(root) == 0700);
  CHECK(open_to_others(root) == "");
}

TEST_CASE("A store's directory of another user is refused") {
  NEEDS(::geteuid() == 0, "root");
  const Place place;
  const std::string root = place.directory / "store";
  make_directories(root, 0777);
  REQUIRE(::chown(root.c_str(), 1, 1) == 0);
  CHECK(error_of([&] { place.open(); }).find("belongs to the user 1") != std::string::npos);
  CHECK(std::filesystem::is_empty(root));
}

TEST_CASE("What a store's parent hands down does not reach what is made in the store") {
  const Place place;
  const std::string parent = place.directory / "parent";
  make_directories(parent, 0755);
  if (::geteuid() == 0) REQUIRE(::chown(parent.c_str(), 0, 33) == 0);
  ::chmod(parent.c_str(), 02775);
  set_default_list(parent);
  const bool is_old = GENERATE(false, true);
  // One that was made without looking at its parent.
  if (is_old) make_directories(parent + "/store/fs/map/work", 0755);
  Store store(parent + "/store", "map");
  const BuildDirectory build(store);
  for (const auto& path : {store.work_directory(), store.layers_directory(), build.path(), store.locks_directory()}) {
    struct stat status;
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(status.st_gid == ::getegid());
    CHECK((status.st_mode & 07000) == 0);
    CHECK(::getxattr(path.c_str(), "system.posix_acl_default", nullptr, 0) < 0);
    CHECK(::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) < 0);
  }
}

TEST_CASE("A store of another format is refused and left as it is") {
  const Place place;
  const std::string version = fmt::format("mbuild store 999\nowner {}\n", ::geteuid());
  make_directories(place.directory / "store");
  write_file_atomically(place.directory / "store/VERSION", version);
  const auto error = error_of([&] { place.open(); });
  CHECK(error.find("mbuild store 999") != std::string::npos);
  CHECK(read_file(place.directory / "store/VERSION") == version);
  CHECK_FALSE(path_exists(place.index()));
}

TEST_CASE("A store that another build is making is no directory of others") {
  const Place place;
  make_directories(place.directory / "store");
  write_file_atomically(place.directory / "store/VERSION.0badcafe.partial", "mbu");
  CHECK(error_of([&] { place.open(); }).empty());
}
