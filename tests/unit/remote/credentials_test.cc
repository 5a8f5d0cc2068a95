#include "remote/credentials.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <map>

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

Variables variables(const std::map<std::string, std::string>& set) {
  return [set](const char* name) {
    const auto found = set.find(name);
    return found == set.end() ? std::string() : found->second;
  };
}

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
  const auto source = stored_credentials(directory.path, {});
  CHECK(source("a.example", "", {}).empty());
  write_file_atomically(directory.path + "/config.json", "{ nonsense");
  CHECK_THROWS_WITH(source("a.example", "", {}), Catch::Contains(directory.path + "/config.json"));
}

TEST_CASE("DOCKER_CONFIG names the directory, else it is in the home") {
  CHECK(docker_config_directory(variables({{"DOCKER_CONFIG", "/some/where"}, {"HOME", "/home/me"}})) == "/some/where");
  CHECK(docker_config_directory(variables({{"HOME", "/home/me"}})) == "/home/me/.docker");
  CHECK(docker_config_directory(variables({})).empty());
}

TEST_CASE("auth that was broken into lines is read, and what can't be read is named") {
  const auto config = [](const std::string& value) { return R"({"auths": {"a.example": {"auth": )" + value + "}}}"; };
  auto broken = base64_encode("user:password");
  broken.insert(8, "\\n");
  CHECK(find_credentials(config('"' + broken + "\\r\\n\""), "a.example").password == "password");
  CHECK(find_credentials(config('"' + base64_encode("user:password\n") + '"'), "a.example").password == "password");
  for (const auto& [value, how] :
       std::vector<std::pair<std::string, std::string>>{{"\"%%%\"", "not base64"},
                                                        {"\"user:password\"", "not base64"},
                                                        {'"' + base64_encode("nonsense") + '"', "colon"},
                                                        {'"' + base64_encode("a:\x01") + '"', "control characters"},
                                                        {"7", "not a text"}}) {
    CHECK_THROWS_WITH(find_credentials(config(value), "a.example"),
                      Catch::Contains("a.example") && Catch::Contains(how));
    CHECK(find_credentials(config(value), "b.example").empty());
  }
}

TEST_CASE("keys with a part of a repository's name count for what is below it, the longest most") {
  const std::string text = R"({"auths": {"a.example": {"username": "all"}, "a.example/team": {"username": "team"},
      "a.example/team/app": {"username": "app"}, "docker.io/me": {"username": "hub"}}})";
  const auto user = [&](const char* host, const char* repository) {
    return find_credentials(text, host, repository).user;
  };
  CHECK(user("a.example", "") == "all");
  CHECK(user("a.example", "teams/app") == "all");
  CHECK(user("a.example", "team/other") == "team");
  CHECK(user("a.example", "team/app") == "app");
  CHECK(user("a.example", "team/app/base") == "app");
  CHECK(user("docker.io", "me/app") == "hub");
  CHECK(user("docker.io", "library/alpine").empty());
}

TEST_CASE("after docker's file those of podman are asked, in their order") {
  const TestDirectory directory;
  const auto file = [&](const std::string& name, const std::string& users) {
    write_file_atomically(directory.path + "/" + name, R"({"auths": {)" + users + "}}");
    return directory.path + "/" + name;
  };
  file("config.json", R"("a.example": {"username": "docker"}, "c.example": {})");
  const auto source = stored_credentials(
      directory.path, {directory.path + "/missing",
                       file("one", R"("a.example": {"username": "one"}, "b.example": {"username": "one"})"),
                       file("two", R"("b.example": {"username": "two"}, "c.example": {"username": "two"})")});
  CHECK(source("a.example", "", {}).user == "docker");
  CHECK(source("b.example", "", {}).user == "one");
  CHECK(source("c.example", "", {}).user == "two");
  write_file_atomically(directory.path + "/one", "nonsense");
  CHECK_THROWS_WITH(source("b.example", "", {}), Catch::Contains(directory.path + "/one"));
}

TEST_CASE("the places of podman's credentials") {
  CHECK(container_auth_files(variables({{"REGISTRY_AUTH_FILE", "/a/file"}, {"HOME", "/home/me"}})) ==
        std::vector<std::string>{"/a/file"});
  CHECK(container_auth_files(variables({{"HOME", "/home/me"}, {"XDG_RUNTIME_DIR", "/run/user/7"}})) ==
        std::vector<std::string>{"/run/user/7/containers/auth.json", "/home/me/.config/containers/auth.json"});
}

TEST_CASE("a helper is asked once for a host") {
  const TestDirectory directory;
  const std::string program = directory.path + "/docker-credential-counting";
  write_file_atomically(
      program, "#!/bin/sh\necho x >> " + directory.path + "/count\necho '{\"Username\":\"me\",\"Secret\":\"s\"}'\n",
      0755);
  ::chmod(program.c_str(), 0755);
  const ScopedVariable path("PATH", directory.path + ":" + std::getenv("PATH"));
  write_file_atomically(directory.path + "/config.json", R"({"credHelpers": {"a.example": "counting"}})");
  const auto source = stored_credentials(directory.path, {});
  for (const char* repository : {"a", "b"}) CHECK(source("a.example", repository, {}).user == "me");
  CHECK(read_file(directory.path + "/count") == "x\n");
}
