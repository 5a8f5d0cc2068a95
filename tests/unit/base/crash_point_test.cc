#include "base/crash_point.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tests/catch.h"

namespace {

// The signal that ends a process which passes the point "here" three times, 0 for none.
int ended_by(const char* plan) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setenv("MBUILD_TEST_CRASH_AT", plan, 1);
    mbuild::crash_point("there");
    for (int i = 0; i < 3; ++i) mbuild::crash_point("here");
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

TEST_CASE("a crash point ends the process when it is passed for the given time") {
  CHECK(ended_by("here") == SIGKILL);
  CHECK(ended_by("here:3") == SIGKILL);
  CHECK(ended_by("here:4") == 0);
  CHECK(ended_by("elsewhere") == 0);
}
