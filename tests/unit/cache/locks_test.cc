#include "cache/locks.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cache;
using mbuild::testing::error_of;
using mbuild::testing::TemporaryDirectory;

namespace {

// A process that holds a lock until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& path) {
    Pipe ready = make_pipe();
    pid_ = ::fork();
    if (pid_ == 0) hold(path, ready.write.get());
    ready.write.reset();
    std::byte byte;
    read_full(ready.read.get(), {&byte, 1});
  }
  ~Holder() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  [[noreturn]] static void hold(const std::string& path, int ready) noexcept {
    const auto lock = FileLock::acquire(path);
    write_all(ready, "x");
    for (;;) ::pause();
  }

  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("A lock excludes others of the same process until it goes") {
  const TemporaryDirectory directory;
  {
    const auto held = FileLock::acquire(directory / "lock");
    REQUIRE(held);
    CHECK_FALSE(FileLock::try_acquire(directory / "lock"));
    CHECK(FileLock::try_acquire(directory / "other"));
  }
  CHECK(FileLock::try_acquire(directory / "lock"));
}

TEST_CASE("A moved lock is held by its new owner") {
  const TemporaryDirectory directory;
  auto first = FileLock::acquire(directory / "lock");
  {
    const auto second = std::move(first);
    CHECK_FALSE(FileLock::try_acquire(directory / "lock"));
  }
  CHECK(FileLock::try_acquire(directory / "lock"));
}

TEST_CASE("Threads hold a lock one at a time") {
  const TemporaryDirectory directory;
  std::atomic<int> inside = 0, most = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 5; ++i) {
          const auto lock = FileLock::acquire(directory / "lock");
          most = std::max(most.load(), ++inside);
          std::this_thread::yield();
          --inside;
        }
      });
    }
  }
  CHECK(most == 1);
}

TEST_CASE("A lock excludes other processes and goes with its holder") {
  const TemporaryDirectory directory;
  Holder holder(directory / "lock");
  CHECK_FALSE(FileLock::try_acquire(directory / "lock"));
  holder.kill();
  CHECK(FileLock::try_acquire(directory / "lock"));
}

TEST_CASE("Waiting for a lock ends when its holder dies") {
  const TemporaryDirectory directory;
  Holder holder(directory / "lock");
  std::jthread killer([&] { holder.kill(); });
  CHECK(FileLock::acquire(directory / "lock"));
}

TEST_CASE("Waiting for a lock can be cancelled") {
  const TemporaryDirectory directory;
  const auto held = FileLock::acquire(directory / "lock");
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  CHECK_THROWS_AS(FileLock::acquire(directory / "lock", stop.get_token()), Cancelled);
}

TEST_CASE("Closing another descriptor of the file does not lose the lock") {
  const TemporaryDirectory directory;
  const auto held = FileLock::acquire(directory / "lock");
  open_file(directory / "lock", O_RDWR).reset();  // a lock of F_SETLK would go here
  CHECK_FALSE(FileLock::try_acquire(directory / "lock"));
}

TEST_CASE("A lock in a directory that is not there is a store error") {
  CHECK(error_of([] { FileLock::acquire("/nonexistent/lock"); }).starts_with("4 open /nonexistent/lock"));
}
