#include "cli/config/settings.h"

#include "cli/config/config.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild::cli;
using mbuild::testing::error_of;

namespace {

std::string shown(const std::vector<Setting>& settings) {
  std::string text;
  for (const auto& setting : settings) text += setting.name + "=" + setting.value + "<" + setting.origin + ";";
  return text;
}

}  // namespace

TEST_CASE("A variable counts more than the file, and the file more than the default") {
  const std::vector<KnownSetting> known = {{"a", "0", "A"}, {"b", "0", "B"}, {"c", "0", ""}};
  const auto variable = [](const char* name) { return std::string(name) == "A" ? "2" : ""; };
  CHECK(shown(effective_settings(known, {{"a", "1"}, {"b", "1"}, {"d.e", "1"}}, "c.toml", variable)) ==
        "a=2<$A;b=1<c.toml;c=0<default;d.e=1<c.toml;");
}

TEST_CASE("Values are told as the file has them") {
  auto found =
      settings_in("[gc]\nenabled = true\n[[gc.policy]]\nfilter = [\"x\"]\n[registry.\"a.b\"]\nca = 'f'\n", "c");
  std::ranges::sort(found, {}, &FileSetting::name);
  REQUIRE(found.size() == 3);
  CHECK(found[0].name == "gc.enabled");
  CHECK(found[0].value == "true");
  CHECK(found[1].name == "gc.policy.1.filter");
  CHECK(found[2].name == "registry.\"a.b\".ca");
}

TEST_CASE("What builds do by default can be configured") {
  const auto config = parse_config(
      "[build]\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\noutputs = [\"type=image\"]\njobs = 3\nprogress = "
      "\"plain\"\non-failure = \"shell\"\n",
      "c.toml");
  CHECK(config.build.platforms == std::vector<std::string>{"linux/amd64", "linux/arm64"});
  CHECK(config.build.outputs == std::vector<std::string>{"type=image"});
  CHECK(config.build.jobs == 3);
  CHECK(config.build.progress == "plain");
  CHECK(config.build.on_failure == "shell");
  CHECK(error_of([] { parse_config("[build]\non-failure = \"sh\"\n", "c.toml"); }) ==
        "2 c.toml:2: build.on-failure: invalid --on-failure sh");
  CHECK(error_of([] { parse_config("[build]\njobs = 0\n", "c.toml"); }) ==
        "2 c.toml:2: build.jobs: a whole number from 1 on is expected");
  CHECK(error_of([] { parse_config("[build]\nprogress = \"loud\"\n", "c.toml"); }) ==
        "2 c.toml:2: build.progress: invalid progress mode loud");
  CHECK(error_of([] {
          parse_config("[build]\nplatforms = [\"a/b/c/d\"]\n", "c.toml");
        }).starts_with("2 c.toml:2: build.platforms"));
}
