#include "containers/failed_shell.h"

#include <string>
#include <vector>

#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::containers;

TEST_CASE("The shell of a command line") {
  CHECK(shell_of({"/bin/sh", "-c", "make"}) == "/bin/sh");
  CHECK(shell_of({"/usr/local/bin/bash", "-o", "pipefail", "-c", "make"}) == "/usr/local/bin/bash");
  CHECK(shell_of({"make", "all"}).empty());
  CHECK(shell_of({"python3", "-c", "print()"}).empty());
  CHECK(shell_of({}).empty());
}

TEST_CASE("Which secrets and agents a failed step had and would not have") {
  executor::FailedStep step;
  step.secrets.push_back({.id = "token", .variable = "", .file = {}, .was_given = true});
  step.secrets.push_back({.id = "never", .variable = "", .file = {}, .was_given = false});
  step.agents.push_back({.id = "default", .socket = {}});
  executor::TargetRequest given;
  CHECK(missing_secrets(step, given) == std::vector<std::string>{"--secret id=token", "--ssh default"});
  given.secrets.push_back({.id = "token", .file = "", .value = "hidden"});
  given.ssh.push_back({.id = "default", .paths = {"/socket"}});
  CHECK(missing_secrets(step, given).empty());
}
