#include "remote/credentials.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "remote/url.h"
#include "tests/catch.h"
#include "tests/unit/remote/test_process.h"

using namespace mbuild;
using namespace mbuild::remote;
using namespace mbuild::remote::testing;

namespace {

// A credential helper "test" that knows one host and fails oddly for another.
struct Helper {
  TestDirectory directory;
  ScopedVariable path{"PATH", directory.path + ":" + std::getenv("PATH")};

  Helper() {
    const std::string program = directory.path + "/docker-credential-test";
    write_file_atomically(program, R"(#!/bin/sh
read -r host
case "$host" in
  known.example) echo '{"ServerURL":"known.example","Username":"me","Secret":"s3"}' ;;
  token.example) echo '{"ServerURL":"x","Username":"<token>","Secret":"refresh"}' ;;
  https://index.docker.io/v1/) echo '{"Username":"hub","Secret":"h"}' ;;
  broken.example) echo 'keychain is locked' >&2; exit 2 ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
)",
                          0755);
    ::chmod(program.c_str(), 0755);
  }
};

}  // namespace

TEST_CASE("credentials are found in auths, by host or by an older URL key") {
  const std::string config = fmt::format(
      R"({{"auths": {{"localhost:5000": {{"auth": "{}"}}, "https://old.example/v1/": {{"auth": "{}"}},
          "id.example": {{"auth": "{}", "identitytoken": "idt"}}, "empty.example": {{}}}}}})",
      base64_encode("user:pass:word"), base64_encode("o:p"), base64_encode("00000000-0000-0000-0000-000000000000:"));
  CHECK(find_credentials(config, "localhost:5000").user == "user");
  CHECK(find_credentials(config, "localhost:5000").password == "pass:word");
  CHECK(find_credentials(config, "old.example").password == "p");
  CHECK(find_credentials(config, "id.example").identity_token == "idt");
  CHECK(find_credentials(config, "empty.example").empty());
  CHECK(find_credentials(config, "other.example").empty());
}

TEST_CASE("Docker Hub has its own key") {
  const std::string config = R"({"auths": {"https://index.docker.io/v1/": {"username": "hub", "password": "pw"}}})";
  CHECK(find_credentials(config, "docker.io").user == "hub");
  CHECK(find_credentials(config, "quay.io").empty());
}

TEST_CASE("credential helpers are asked for their hosts") {
  const Helper helper;
  const std::string config = R"({"credHelpers": {"known.example": "test", "broken.example": "test",
                                 "gone.example": "not-installed"},
                                 "auths": {"known.example": {"username": "wrong"}}})";
  CHECK(find_credentials(config, "known.example").password == "s3");
  CHECK_THROWS_WITH(find_credentials(config, "broken.example"), Catch::Contains("keychain is locked"));
  CHECK_THROWS_WITH(find_credentials(config, "gone.example"),
                    Catch::Contains("docker-credential-not-installed is not installed"));
}

TEST_CASE("the credentials store is asked for every host, auths come after it") {
  const Helper helper;
  const std::string config = R"({"credsStore": "test", "auths": {"plain.example": {"username": "p"}}})";
  CHECK(find_credentials(config, "docker.io").user == "hub");
  CHECK(find_credentials(config, "token.example").identity_token == "refresh");
  CHECK(find_credentials(config, "token.example").user.empty());
  CHECK(find_credentials(config, "plain.example").user == "p");
  CHECK(find_credentials(config, "unknown.example").empty());
}

TEST_CASE("a missing config.json means anonymous, a malformed one is an error that names it") {
  const TestDirectory directory;
  const auto source = docker_credentials(directory.path);
  CHECK(source("a.example", {}).empty());
  write_file_atomically(directory.path + "/config.json", "{ nonsense");
  CHECK_THROWS_WITH(source("a.example", {}), Catch::Contains(directory.path + "/config.json"));
}

TEST_CASE("DOCKER_CONFIG names the directory, else it is in the home") {
  {
    const ScopedVariable config("DOCKER_CONFIG", "/some/where");
    CHECK(docker_config_directory() == "/some/where");
  }
  const ScopedVariable config("DOCKER_CONFIG", ""), home("HOME", "/home/me");
  CHECK(docker_config_directory() == "/home/me/.docker");
}
