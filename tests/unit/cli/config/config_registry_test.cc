#include "base/fd.h"
#include "cli/config/config.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cli;
using mbuild::testing::error_of;
using mbuild::testing::TemporaryDirectory;

namespace {

std::string refusal(const std::string& text) {
  return error_of([&] { parse_config(text, "c.toml"); });
}

}  // namespace

TEST_CASE("A registry has what is said of it, and of all registries where it does not say otherwise") {
  const auto config = parse_config(
      "[registry]\ninsecure = true\n"
      "[registry.\"docker.io\"]\ninsecure = false\nmirrors = [\"https://a.example/hub\", \"b.example:5000\"]\n"
      "[registry.\"[::1]:5000\"]\nplain-http = true\n",
      "c.toml");
  const auto& registries = config.registries;
  CHECK(registries.of("docker.io").mirrors == std::vector<std::string>{"https://a.example/hub", "b.example:5000"});
  CHECK_FALSE(registries.of("docker.io").insecure);
  CHECK(registries.of("[::1]:5000").plain_http);
  CHECK(registries.of("[::1]:5000").insecure);
  CHECK(registries.of("other.example").insecure);
  CHECK_FALSE(registries.of("other.example").plain_http);
}

TEST_CASE("Docker Hub is one registry under its two names") {
  const auto config = parse_config("[registry.\"index.docker.io\"]\nplain-http = true\n", "c.toml");
  CHECK(config.registries.of("docker.io").plain_http);
}

TEST_CASE("Files of certificates are beside the configuration") {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/config.toml";
  for (const char* name : {"ca.pem", "client.pem", "client.key"})
    write_file_atomically(directory.path() + "/" + name, "");
  const auto config =
      parse_config("[registry.\"r.example\"]\nca = \"ca.pem\"\nclient-cert = \"client.pem\"\nclient-key = \"" +
                       directory.path() + "/client.key\"\n",
                   path);
  const auto& host = config.registries.of("r.example");
  CHECK(host.ca_file == directory.path() + "/ca.pem");
  CHECK(host.client_certificate == directory.path() + "/client.pem");
  CHECK(host.client_key == directory.path() + "/client.key");
  CHECK(error_of([&] { parse_config("[registry]\nca = \"none.pem\"\n", path); }) ==
        "2 " + path + ":2: registry.ca: there is no file " + directory.path() + "/none.pem");
}

TEST_CASE("What is wrong with a registry's configuration is told with file and line") {
  CHECK(refusal("[registry.\"r.example\"]\nmirror = []\n") ==
        "2 c.toml:2: unknown key registry.r.example.mirror (did you mean mirrors?)");
  CHECK(refusal("[registry.\"r.example\"]\nmirrors = \"m\"\n") ==
        "2 c.toml:2: registry.r.example.mirrors: a list of texts is expected: [\"...\", \"...\"]");
  CHECK(refusal("[registry.\"r.example\"]\n\nmirrors = [\"ftp://m\"]\n") ==
        "2 c.toml:3: registry.r.example.mirrors: \"ftp://m\" is no address of a registry: write \"https://host\"");
  CHECK(refusal("[registry.\"r.example\"]\ninsecure = 1\n") ==
        "2 c.toml:2: registry.r.example.insecure: true or false is expected");
  CHECK(refusal("[registry.app]\n") ==
        "2 c.toml:1: registry.app: \"app\" is no registry: write [registry.\"host\"] or [registry.\"host:port\"]");
  CHECK(refusal("[registry.\"https://r.example\"]\n").find("is no registry") != std::string::npos);
  CHECK(refusal("[registry]\nclient-key = \"/dev/null\"\n") == "2 c.toml:2: registry.client-key: it needs client-cert");
}
