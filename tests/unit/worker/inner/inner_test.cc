#include "worker/inner/inner.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/worker/inner_jobs.h"

namespace mbuild::executor {
namespace {

using Clock = std::chrono::steady_clock;
using test::have_inner;
using test::inner;
using test::TestJob;

const TestJob k_echo("test-echo", [](std::string_view payload, std::vector<Fd>& fds) {
  return fmt::format("{}|{}|{}", payload, fds.size(), ::getuid());
});
const TestJob k_size("test-double", [](std::string_view payload, std::vector<Fd>&) {
  return std::string(payload) + std::string(payload);
});
const TestJob k_write("test-write", [](std::string_view payload, std::vector<Fd>& fds) {
  write_all(fds.at(0).get(), payload);
  return std::string();
});
const TestJob k_throw("test-throw", [](std::string_view, std::vector<Fd>&) -> std::string {
  Error error(ExitClass::store, "the disk is full");
  error.advice = "buy another";
  throw error.with_context("step 3");
});
const TestJob k_segv("test-segv", [](std::string_view, std::vector<Fd>&) -> std::string {
  ::signal(SIGSEGV, SIG_DFL);   // a sanitizer would make an exit of it
  ::kill(::getpid(), SIGSEGV);  // pid 1 does not die of it
  volatile int* nowhere = nullptr;
  *nowhere = 1;
  return "";
});
// Children and grandchildren in sessions of their own, all holding the descriptor open.
const TestJob k_hang("test-hang", [](std::string_view, std::vector<Fd>& fds) -> std::string {
  for (int i = 0; i < 20; ++i) {
    if (::fork() != 0) continue;
    ::setsid();
    ::signal(SIGTERM, SIG_IGN);
    if (::fork() == 0) ::setsid();
    for (;;) ::pause();
  }
  write_all(fds.at(0).get(), "x");
  for (;;) ::pause();
});
const TestJob k_mount("test-pid-and-threads", [](std::string_view, std::vector<Fd>&) {
  std::string out;
  std::jthread thread([&] { out = std::to_string(::getpid()); });
  thread.join();
  return out;
});

// Not how fast it shall be, but how long a test waits before it calls it a hang.
constexpr double k_hangs_ms = 60'000;

double milliseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

}  // namespace

TEST_CASE("a job runs as root of the namespace and gets payload and descriptors") {
  NEEDS(have_inner(), "an inner process");
  const Fd file = memory_file("");
  const int fds[] = {file.get(), 2};
  CHECK(inner().call("test-echo", "hello", fds) == "hello|2|0");
  inner().call("test-write", "through", fds);
  ::lseek(file.get(), 0, SEEK_SET);
  CHECK(read_all(file.get()) == "through");
}

TEST_CASE("large payloads and replies travel whole") {
  NEEDS(have_inner(), "an inner process");
  for (const std::size_t size : {0uz, 1uz, 65536uz, 65537uz, 3'000'000uz}) {
    const std::string payload(size, 'p');
    CHECK(inner().call("test-double", payload) == payload + payload);
  }
}

TEST_CASE("an error of a job arrives with class, context and advice") {
  NEEDS(have_inner(), "an inner process");
  try {
    inner().call("test-throw", "");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::store);
    CHECK(std::string(error.what()) == "step 3: the disk is full");
    CHECK(error.message == "the disk is full");
    CHECK(error.advice == "buy another");
  }
}

TEST_CASE("a job that crashes is an error that names the signal") {
  NEEDS(have_inner(), "an inner process");
  try {
    inner().call("test-segv", "");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Contains("test-segv") && Catch::Contains("signal 11"));
  }
}

TEST_CASE("an unknown operation is an error") {
  NEEDS(have_inner(), "an inner process");
  CHECK_THROWS_AS(inner().call("no such thing", ""), Error);
}

TEST_CASE("a job is pid 1 of its namespace and may start threads") {
  NEEDS(have_inner(), "an inner process");
  CHECK(inner().call("test-pid-and-threads", "") == "1");
}

TEST_CASE("calls from many threads run side by side") {
  NEEDS(have_inner(), "an inner process");
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&, i] {
        for (int k = 0; k < 5; ++k) {
          const std::string text = fmt::format("{}-{}", i, k);
          if (inner().call("test-echo", text) == text + "|0|0") ++good;
        }
      });
    }
  }
  CHECK(good == 80);
}

TEST_CASE("cancelling kills every process of a job") {
  NEEDS(have_inner(), "an inner process");
  Pipe pipe = make_pipe();
  std::stop_source stop;
  Clock::time_point asked;
  {
    std::jthread canceller([&, fd = pipe.read.get()] {
      char started;
      [[maybe_unused]] const auto n = ::read(fd, &started, 1);
      asked = Clock::now();
      stop.request_stop();
    });
    const int fds[] = {pipe.write.get()};
    CHECK_THROWS_AS(inner().call("test-hang", "", fds, stop.get_token()), Cancelled);
  }
  CHECK(milliseconds(asked) < k_hangs_ms);
  pipe.write.reset();
  char nothing;
  CHECK(::read(pipe.read.get(), &nothing, 1) == 0);  // nobody holds the other end
}

TEST_CASE("a call with a stop that was requested before is cancelled at once") {
  NEEDS(have_inner(), "an inner process");
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(inner().call("test-echo", "", {}, stop.get_token()), Cancelled);
}

TEST_CASE("when the outer process is killed everything inside ends") {
  NEEDS(have_inner(), "an inner process");
  Pipe pipe = make_pipe();
  const pid_t outer = ::fork();
  if (outer == 0) {
    const int fds[] = {pipe.write.get()};
    Inner::start({.map = compute_id_map()})->call("test-hang", "", fds);
    ::_exit(0);
  }
  pipe.write.reset();
  char byte;
  CHECK(::read(pipe.read.get(), &byte, 1) == 1);
  const auto begin = Clock::now();
  ::kill(outer, SIGKILL);
  ::waitpid(outer, nullptr, 0);
  CHECK(::read(pipe.read.get(), &byte, 1) == 0);
  CHECK(milliseconds(begin) < k_hangs_ms);
}

TEST_CASE("a failure to start is a host error with advice") {
  ::setenv("MBUILD_TEST_DISABLE", "userns", 1);
  try {
    Inner::start({.map = compute_id_map()});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::host);
    CHECK_FALSE(error.advice.empty());
  }
  ::unsetenv("MBUILD_TEST_DISABLE");
}

}  // namespace mbuild::executor
