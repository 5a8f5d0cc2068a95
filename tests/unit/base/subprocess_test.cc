#include "base/subprocess.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "base/strings.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using mbuild::testing::error_of;
using mbuild::testing::ScopedVariable;
using mbuild::testing::TemporaryDirectory;

namespace {

SubprocessResult shell(const std::string& script, std::string_view input = {}) {
  return run_program({"sh", "-c", script}, input);
}

// Runs a script that makes the file `started`, and stops it then.
void run_until_started(const std::string& directory, const std::string& script) {
  std::stop_source stop;
  std::jthread stopper([&] {
    while (!path_exists(directory + "/started")) std::this_thread::yield();
    stop.request_stop();
  });
  CHECK_THROWS_AS(run_program({"sh", "-c", script}, {}, stop.get_token(), directory), Cancelled);
}

}  // namespace

TEST_CASE("A program's output, errors and status are told apart") {
  const auto result = shell("echo out; echo err >&2; exit 3");
  CHECK(result.output == "out\n");
  CHECK(result.error == "err\n");
  CHECK(result.status == 3);
}

TEST_CASE("A program that a signal ended has status 128 and the signal") {
  CHECK(shell("kill -TERM $$").status == 128 + SIGTERM);
}

TEST_CASE("A program reads its input to the end") {
  const std::string input(300'000, 'x');
  CHECK(run_program({"cat"}, input).output == input);
  CHECK(run_program({"cat"}).output.empty());
}

TEST_CASE("A program that fills both its pipes is read to the end") {
  const auto result = shell("head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2");
  CHECK(result.output.size() == 200'000);
  CHECK(result.error.size() == 200'000);
}

TEST_CASE("A program runs in the directory that it is given") {
  const TemporaryDirectory directory;
  const auto result = run_program({"pwd"}, {}, {}, directory.path());
  CHECK(trim(result.output) == directory.path());
}

TEST_CASE("The environment is laid over this process's own") {
  const ScopedVariable kept("MBUILD_UNIT_KEPT", "kept"), changed("MBUILD_UNIT_CHANGED", "old"),
      gone("MBUILD_UNIT_GONE", "there");
  const auto result = run_program(
      {"sh", "-c", "echo $MBUILD_UNIT_KEPT,$MBUILD_UNIT_CHANGED,${MBUILD_UNIT_GONE-unset},$MBUILD_UNIT_NEW"}, {}, {},
      {}, {"MBUILD_UNIT_CHANGED=a=b", "MBUILD_UNIT_GONE", "MBUILD_UNIT_NEW=new"});
  CHECK(result.output == "kept,a=b,unset,new\n");
}

TEST_CASE("A program that is not there is a host error that names it") {
  CHECK(error_of([] { run_program({"mbuild-no-such-program"}); }) ==
        "5 start mbuild-no-such-program: No such file or directory");
}

TEST_CASE("A stop kills the program and ends in Cancelled") {
  const TemporaryDirectory directory;
  run_until_started(directory.path(), "echo $$ > pid; : > started; exec sleep 600");
  CHECK(::kill(std::stoi(read_file(directory / "pid")), 0) < 0);
}

TEST_CASE("A stop does not wait for what the program itself started") {
  const TemporaryDirectory directory;
  run_until_started(directory.path(), "sleep 600 & echo $! > pid; : > started; wait");
  CHECK(::kill(std::stoi(read_file(directory / "pid")), SIGKILL) == 0);  // it held the pipes all the time
}

TEST_CASE("A stop that was requested before is kept too") {
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(run_program({"sleep", "600"}, {}, stop.get_token()), Cancelled);
}

TEST_CASE("A program is found in the first directory of PATH that has it") {
  const TemporaryDirectory directory;
  for (const char* place : {"a", "b"}) {
    make_directories(directory / place);
    write_file_atomically(directory / (std::string(place) + "/tool"), "", 0755);
  }
  const ScopedVariable path("PATH", (directory / "missing") + ":" + (directory / "b") + ":" + (directory / "a"));
  CHECK(find_program("tool") == directory / "b/tool");
  CHECK(find_program("other").empty());
}

TEST_CASE("A program's path is absolute although its directory in PATH is not") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "tool", "", 0755);
  const ScopedVariable path("PATH", std::filesystem::relative(directory.path()).string());
  CHECK(find_program("tool") == directory / "tool");
}

TEST_CASE("A directory or a file that may not be executed is no program") {
  const TemporaryDirectory directory;
  make_directories(directory / "a/tool");
  make_directories(directory / "b");
  write_file_atomically(directory / "b/tool", "", 0644);
  const ScopedVariable path("PATH", (directory / "a") + ":" + (directory / "b"));
  CHECK(find_program("tool").empty());
}

TEST_CASE("the other side of the next test", "[.started-again]") {
  write_all(0, ::getsid(0) == ::getpid() ? "y" : "n");
}

TEST_CASE("This program is started again with its arguments, an input and a session of its own") {
  int sockets[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  const Fd here(sockets[0]);
  Fd there(sockets[1]);
  const int process = start_self({"[.started-again]", "-o", "/dev/null"}, there.get());
  there.reset();
  CHECK(read_all(here.get()) == "y");
  int status = -1;
  CHECK(::waitpid(process, &status, 0) == process);
  CHECK(status == 0);
}
