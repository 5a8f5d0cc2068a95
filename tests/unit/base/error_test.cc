#include "base/error.h"

#include <cerrno>

#include "tests/catch.h"

using namespace mbuild;

TEST_CASE("An error without context says its message") {
  CHECK(std::string(Error(ExitClass::usage, "no such flag").what()) == "no such flag");
}

TEST_CASE("Context that is added on the way up stands before what was there") {
  Error error(ExitClass::store, "disk full");
  error.with_context("write layer").with_context("step 3");
  CHECK(std::string(error.what()) == "step 3: write layer: disk full");
  CHECK(error.context == std::vector<std::string>{"write layer", "step 3"});
  CHECK(error.message == "disk full");
}

TEST_CASE("Advice and excerpt are kept apart from the message") {
  const Error error = Error(ExitClass::host, "no overlay").with_advice("mount one").with_excerpt("3 | RUN x");
  CHECK(std::string(error.what()) == "no overlay");
  CHECK(error.advice == "mount one");
  CHECK(error.excerpt == "3 | RUN x");
}

TEST_CASE("A copy of an error says the same as the original") {
  Error error(ExitClass::network, "reset");
  error.with_context("pull");
  const Error copy = error;
  CHECK(std::string(copy.what()) == "pull: reset");
  CHECK(copy.exit_class == ExitClass::network);
}

TEST_CASE("An error of a system call names the call and the reason") {
  const Error error = system_error(ENOENT, "open x");
  CHECK(error.message == "open x: No such file or directory");
  CHECK(error.exit_class == ExitClass::store);
  CHECK(system_error(EPERM, "clone", ExitClass::host).exit_class == ExitClass::host);
}

TEST_CASE("Exit classes are the exit statuses that are documented") {
  CHECK(static_cast<int>(ExitClass::step_failed) == 1);
  CHECK(static_cast<int>(ExitClass::usage) == 2);
  CHECK(static_cast<int>(ExitClass::network) == 3);
  CHECK(static_cast<int>(ExitClass::store) == 4);
  CHECK(static_cast<int>(ExitClass::host) == 5);
  CHECK(static_cast<int>(ExitClass::internal) == 70);
}
