#include "platforms/platform.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::platforms;

namespace {

std::string normal(std::string_view text) { return to_string(parse_platform(text)); }

std::string message_of(std::string_view text) {
  try {
    parse_platform(text);
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::usage);
    return error.message;
  }
  return "";
}

bool fits(std::string_view image, std::string_view wanted) {
  return satisfies(parse_platform(image), parse_platform(wanted));
}

}  // namespace

TEST_CASE("other spellings of an architecture are made canonical") {
  CHECK(normal("linux/x86_64") == "linux/amd64");
  CHECK(normal("linux/x86-64") == "linux/amd64");
  CHECK(normal("Linux/AMD64/v1") == "linux/amd64");
  CHECK(normal("linux/amd64/v3") == "linux/amd64/v3");
  CHECK(normal("linux/i386") == "linux/386");
  CHECK(normal("linux/aarch64") == "linux/arm64");
  CHECK(normal("linux/arm64/v8") == "linux/arm64");
  CHECK(normal("linux/arm64/9") == "linux/arm64/v9");
  CHECK(normal("macos/arm64") == "darwin/arm64");
}

TEST_CASE("32-bit Arm always has a variant") {
  CHECK(normal("linux/arm") == "linux/arm/v7");
  CHECK(normal("linux/arm/7") == "linux/arm/v7");
  CHECK(normal("linux/arm/6") == "linux/arm/v6");
  CHECK(normal("linux/arm/v5") == "linux/arm/v5");
  CHECK(normal("linux/armhf") == "linux/arm/v7");
  CHECK(normal("linux/armel") == "linux/arm/v6");
}

TEST_CASE("a word alone is an operating system or an architecture") {
  CHECK(parse_platform("linux").arch == host_platform().arch);
  CHECK(parse_platform("windows").os == "windows");
  CHECK(parse_platform("arm64") == Platform{host_platform().os, "arm64", "", ""});
  CHECK(parse_platform("armhf") == Platform{host_platform().os, "arm", "v7", ""});
}

TEST_CASE("an OS version stands in parentheses") {
  const Platform platform = parse_platform("windows(10.0.17763)/amd64");
  CHECK(platform.os == "windows");
  CHECK(platform.os_version == "10.0.17763");
  CHECK(to_string(platform) == "windows(10.0.17763)/amd64");
}

TEST_CASE("an unknown pair of words is accepted as it stands") { CHECK(normal("plan10/z80/x1") == "plan10/z80/x1"); }

TEST_CASE("what is no platform is refused with the reason") {
  CHECK(message_of("x") ==
        "failed to parse platform \"x\": unknown operating system or architecture: invalid argument");
  CHECK(message_of("linux/*").find("wildcards are not supported") != std::string::npos);
  CHECK(message_of("linux/arm/v7/x").find("cannot parse platform specifier") != std::string::npos);
  CHECK(message_of("").find("\"\" is an invalid OS component of \"\"") != std::string::npos);
  CHECK(message_of("linux//v7").find("\"\" is an invalid component of \"linux//v7\"") != std::string::npos);
  CHECK(message_of("linux/a b").find("\"a b\" is an invalid component") != std::string::npos);
  CHECK(message_of("windows(10/amd64").find("invalid OS component") != std::string::npos);
  CHECK(message_of("linux/amd64/").find("invalid component") != std::string::npos);
}

TEST_CASE("a list merges what means the same") {
  const auto platforms = parse_platform_list("linux/arm64, linux/aarch64,linux/arm64/v8,linux/amd64");
  REQUIRE(platforms.size() == 2);
  CHECK(to_string(platforms[0]) == "linux/arm64");
  CHECK(to_string(platforms[1]) == "linux/amd64");
  CHECK(parse_platform_list("local") == std::vector<Platform>{host_platform()});
  CHECK_THROWS_AS(parse_platform_list("linux/amd64,"), Error);
}

TEST_CASE("normalise fills in what is missing") {
  CHECK(normalise({}) == host_platform());
  CHECK(to_string(normalise({"", "x86_64", "", ""})) == host_platform().os + "/amd64");
  CHECK(to_string(normalise({"linux", "arm", "", ""})) == "linux/arm/v7");
}

TEST_CASE("an older variant satisfies a request for a newer one, not the other way round") {
  CHECK(fits("linux/amd64", "linux/amd64"));
  CHECK(fits("linux/amd64", "linux/amd64/v3"));
  CHECK_FALSE(fits("linux/amd64/v3", "linux/amd64"));
  CHECK(fits("linux/arm/v5", "linux/arm/v7"));
  CHECK(fits("linux/arm/v7", "linux/arm/v8"));
  CHECK_FALSE(fits("linux/arm/v7", "linux/arm/v6"));
  CHECK(fits("linux/arm64", "linux/arm64/v9"));
  CHECK(fits("linux/arm64/v8.5", "linux/arm64/v9"));
  CHECK_FALSE(fits("linux/arm64/v8.6", "linux/arm64/v9"));
  CHECK_FALSE(fits("linux/arm64/v9", "linux/arm64"));
  CHECK_FALSE(fits("linux/arm64/strange", "linux/arm64"));
}

TEST_CASE("another system or architecture never satisfies") {
  CHECK_FALSE(fits("linux/386", "linux/amd64"));
  CHECK_FALSE(fits("linux/arm/v7", "linux/arm64"));
  CHECK_FALSE(fits("windows/amd64", "linux/amd64"));
}

TEST_CASE("an OS version matches by its leading parts") {
  CHECK(fits("windows(10.0.17763.1)/amd64", "windows(10.0.17763)/amd64"));
  CHECK(fits("windows(10.0.17763.1)/amd64", "windows/amd64"));
  CHECK_FALSE(fits("windows(10.0.17763.1)/amd64", "windows(10.0.177)/amd64"));
}
