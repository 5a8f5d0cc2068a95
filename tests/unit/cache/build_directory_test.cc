#include "cache/store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/catch.h"
#include "tests/unit/cache/store_fixture.h"

using namespace mbuild;
using namespace mbuild::cache;
using namespace mbuild::cache::test;

namespace {

[[noreturn]] void build_until_killed(const Store& store, int ready) noexcept {
  const BuildDirectory directory(store);
  write_all(ready, directory.path());
  ::close(ready);
  for (;;) ::pause();
}

}  // namespace

TEST_CASE("The directory of a build that is alive is not abandoned") {
  const Place place;
  Store store = place.open();
  const BuildDirectory first(store), second(store);
  CHECK(path_exists(first.path()));
  CHECK(first.path() != second.path());
  CHECK(abandoned_build_directories(store).empty());
}

TEST_CASE("A build that needs no directory makes none, and is in its store") {
  const Place place;
  const Store store = place.open();
  CHECK_FALSE(is_in_use(store.root()));
  {
    const BuildDirectory first(store), second(store);
    CHECK_FALSE(first.is_made());
    CHECK(std::filesystem::is_empty(store.work_directory()));
    CHECK(is_in_use(store.root()));
  }
  CHECK_FALSE(is_in_use(store.root()));
}

TEST_CASE("The oldest of the builds that run is known by the time at which it began") {
  const Place place;
  const Store store = place.open();
  const std::int64_t start = unix_nanoseconds().count();
  auto first = std::make_unique<BuildDirectory>(store);
  const std::int64_t second_start = unix_nanoseconds().count();
  const BuildDirectory second(store), third(store);
  CHECK(oldest_build(store.root()).value_or(0) >= start);
  CHECK(oldest_build(store.root()).value_or(0) < second_start);
  first.reset();
  CHECK(oldest_build(store.root()).value_or(0) >= second_start);
}

TEST_CASE("A directory that could not be made may be asked for again") {
  const Place place;
  const Store store = place.open();
  {
    const BuildDirectory directory(store);
    std::filesystem::remove_all(store.work_directory());
    write_file_atomically(store.work_directory(), "in the way");
    CHECK_THROWS(directory.path());
    CHECK_THROWS(directory.path());
    std::filesystem::remove(store.work_directory());
    make_directories(store.work_directory());
    CHECK(path_exists(directory.path()));
  }
  for (const auto& entry : std::filesystem::directory_iterator(store.locks_directory())) {
    CHECK_FALSE(entry.path().filename().string().starts_with("build-"));
  }
}

TEST_CASE("The directory of a build that ended is found, and its lock is gone") {
  const Place place;
  Store store = place.open();
  std::string path;
  {
    const BuildDirectory directory(store);
    path = directory.path();
  }
  CHECK(abandoned_build_directories(store) == std::vector<std::string>{path});
  for (const auto& entry : std::filesystem::directory_iterator(store.locks_directory())) {
    CHECK_FALSE(entry.path().filename().string().starts_with("build-"));
  }
}

TEST_CASE("The directory of a build that was killed is found once its process is dead") {
  const Place place;
  const Store store = place.open();
  Pipe ready = make_pipe();
  const pid_t pid = ::fork();
  if (pid == 0) build_until_killed(store, ready.write.get());
  ready.write.reset();
  const std::string path = read_all(ready.read.get());
  CHECK(abandoned_build_directories(store).empty());
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  CHECK(abandoned_build_directories(store) == std::vector<std::string>{path});
}
