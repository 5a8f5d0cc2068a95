#include "oci/reference.h"

#include <vector>

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::frontend {
namespace {

std::string normal(std::string_view text) { return to_string(with_default_tag(parse_reference(text))); }

std::string complaint(std::string_view text) {
  try {
    parse_reference(text);
  } catch (const Error& error) {
    return error.message;
  }
  return "";
}

const std::string k_digest = "sha256:" + std::string(64, 'a');

TEST_CASE("short names are docker's") {
  CHECK(normal("alpine") == "docker.io/library/alpine:latest");
  CHECK(normal("alpine:3.20") == "docker.io/library/alpine:3.20");
  CHECK(normal("user/app") == "docker.io/user/app:latest");
  CHECK(normal("docker.io/alpine") == "docker.io/library/alpine:latest");
  CHECK(normal("index.docker.io/library/alpine") == "docker.io/library/alpine:latest");
}

TEST_CASE("a first part with a dot, a colon or an upper-case letter is a registry") {
  CHECK(parse_reference("ghcr.io/a/b").domain == "ghcr.io");
  CHECK(parse_reference("localhost/a").domain == "localhost");
  CHECK(parse_reference("localhost:5000/a").domain == "localhost:5000");
  CHECK(parse_reference("Registry/a").domain == "Registry");
  CHECK(parse_reference("registry/a").domain == "docker.io");
}

TEST_CASE("a port is no tag") {
  const Reference reference = parse_reference("host:5000/a/b:1");
  CHECK(reference.domain == "host:5000");
  CHECK(reference.path == "a/b");
  CHECK(reference.tag == "1");
  CHECK(parse_reference("host:5000/a").tag.empty());
}

TEST_CASE("IPv6 addresses stand in brackets") {
  CHECK(parse_reference("[::1]:5000/a:t").domain == "[::1]:5000");
  CHECK(parse_reference("[2001:db8::1]/a").domain == "[2001:db8::1]");
  CHECK(complaint("[::1/a").find("invalid reference format") == 0);
}

TEST_CASE("tags and digests go together") {
  const Reference reference = parse_reference("alpine:3@" + k_digest);
  CHECK(reference.tag == "3");
  CHECK(reference.digest == k_digest);
  CHECK(normal("alpine@" + k_digest) == "docker.io/library/alpine@" + k_digest);
}

TEST_CASE("the familiar form leaves docker's defaults out") {
  CHECK(familiar_string(parse_reference("docker.io/library/alpine:3")) == "alpine:3");
  CHECK(familiar_string(parse_reference("docker.io/user/app")) == "user/app");
  CHECK(familiar_string(parse_reference("ghcr.io/a/b")) == "ghcr.io/a/b");
  CHECK(repository_name(parse_reference("alpine:3")) == "docker.io/library/alpine");
}

TEST_CASE("separators in a path") {
  CHECK(complaint("a.b/c_d/e__f/g---h").empty());
  for (const char* text : {"a..b", "a___b", "-a", "a-", "_a", "a//b", "a/", "/a", "a._b"}) {
    INFO(text);
    CHECK(complaint(text).find("invalid reference format") == 0);
  }
}

TEST_CASE("what is no reference") {
  for (const std::string& text :
       std::vector<std::string>{"", ":tag", "alpine:", "alpine:-x", "a b", "alpine:" + std::string(129, 'x'),
                                "alpine@sha256:abc", "host:port/a", "-host.com/a", "alpine@"}) {
    INFO(text);
    CHECK(complaint(text).find("invalid reference format") == 0);
  }
  CHECK(complaint("Alpine").find("repository name (library/Alpine) must be lowercase") != std::string::npos);
  CHECK(complaint("alpine@md5:" + std::string(32, 'a')).find("unsupported digest algorithm") != std::string::npos);
  CHECK(complaint("alpine@sha256:" + std::string(40, 'a')).find("digest length") != std::string::npos);
  CHECK(complaint(std::string(64, 'a')).find("hexadecimal") != std::string::npos);
  CHECK(complaint(std::string(300, 'a')).find("255 characters") != std::string::npos);
}

}  // namespace
}  // namespace mbuild::frontend
