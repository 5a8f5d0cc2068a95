#include "cli/config/docker_words.h"

#include <cstdlib>

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild::cli;
using mbuild::testing::ScopedVariable;
using Words = std::vector<std::string>;

TEST_CASE("Groups of docker's commands are left out") {
  CHECK(without_docker_words("mbuild", {"buildx", "build", "."}) == Words{"build", "."});
  CHECK(without_docker_words("mbuild", {"builder", "prune", "-f"}) == Words{"prune", "-f"});
  CHECK(without_docker_words("mbuild", {"buildx"}) == Words{"--help"});
  CHECK(without_docker_words("mbuild", {"build", "buildx"}) == Words{"build", "buildx"});
  CHECK(without_docker_words("mbuild", {"buildx", "debug", "--on", "error", "build", "."}) ==
        Words{"build", "--on-failure", "shell", "."});
  CHECK(without_docker_words("mbuild", {"debug", "build", "."}) == Words{"build", "--on-failure", "shell", "."});
  CHECK(without_docker_words("mbuild", {"debug", "--on=always", "build"}) == Words{"debug", "--on=always", "build"});
  CHECK(without_docker_words("mbuild", {"debug", "0123", "--", "build"}) == Words{"debug", "0123", "--", "build"});
  CHECK(without_docker_words("mbuild", {}).empty());
}

TEST_CASE("A plugin is called with docker's flags and its own name in front") {
  CHECK(without_docker_words("/usr/libexec/docker/cli-plugins/docker-mbuild", {"mbuild", "build", "."}) ==
        Words{"build", "."});
  CHECK(without_docker_words("docker-buildx", {"buildx", "build", "."}) == Words{"build", "."});
  CHECK(without_docker_words("docker-mbuild", {"--debug", "-c", "other", "--log-level=debug", "mbuild", "du"}) ==
        Words{"du"});
  CHECK(without_docker_words("docker-mbuild", {"help", "mbuild", "build"}) == Words{"help", "build"});
  CHECK(without_docker_words("docker-mbuild", {"mbuild", "--help"}) == Words{"--help"});
  CHECK(without_docker_words("docker-mbuild", {"mbuild", "mbuild"}) == Words{"mbuild"});
  CHECK(without_docker_words("docker-mbuild", {k_plugin_metadata_command}) == Words{k_plugin_metadata_command});
  CHECK(without_docker_words("docker-mbuild", {"--config"}).empty());
  CHECK(without_docker_words("mbuild", {"mbuild"}) == Words{"mbuild"});
}

TEST_CASE("The configuration and the engine that docker was told are kept in the environment") {
  const ScopedVariable config("DOCKER_CONFIG", "before"), host("DOCKER_HOST", "before");
  CHECK(without_docker_words("docker-mbuild", {"--config", "/c", "--host=tcp://h:1", "mbuild", "ls"}) == Words{"ls"});
  CHECK(std::string(std::getenv("DOCKER_CONFIG")) == "/c");
  CHECK(std::string(std::getenv("DOCKER_HOST")) == "tcp://h:1");
}

TEST_CASE("There is advice for docker's commands") {
  CHECK(advice_for_docker_word("info").find("doctor") != std::string::npos);
  CHECK(advice_for_docker_word("nothing").empty());
}

TEST_CASE("What docker says of builders and of containers alike is of builders below buildx") {
  using Words = std::vector<std::string>;
  CHECK(without_docker_words("mbuild", {"buildx", "stop", "x"}) == Words{"builder", "stop", "x"});
  CHECK(without_docker_words("mbuild", {"buildx", "--builder", "rm", "inspect"}) ==
        Words{"builder", "--builder", "rm", "inspect"});
  CHECK(without_docker_words("docker-buildx", {"buildx", "rm", "x"}) == Words{"builder", "rm", "x"});
  CHECK(without_docker_words("mbuild", {"stop", "x"}) == Words{"stop", "x"});
  CHECK(without_docker_words("docker-buildx", {"create", "x"}) == Words{"builder", "create", "x"});
  for (const Words& words :
       {Words{"create", "--use"}, {"create", "--driver=x", "e"}, {"create", "--name", "n"}, {"create"}}) {
    CHECK(without_docker_words("mbuild", words).front() == "builder");
  }
  for (const Words& words :
       {Words{"create", "--name", "n", "image"}, {"create", "image", "sh"}, {"create", "--help"}}) {
    CHECK(without_docker_words("mbuild", words).front() == "create");
  }
  CHECK(without_docker_words("mbuild", {"buildx", "build", "."}) == Words{"build", "."});
}
