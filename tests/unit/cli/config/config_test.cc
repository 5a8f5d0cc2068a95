#include "cli/config/config.h"

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cli;
using mbuild::testing::error_of;
using mbuild::testing::ScopedVariable;
using mbuild::testing::TemporaryDirectory;

namespace {

std::string config_error(const std::string& text) {
  return error_of([&] { parse_config(text, "c.toml"); });
}

}  // namespace

TEST_CASE("An empty configuration leaves everything at its default") {
  const auto config = parse_config("", "c.toml");
  CHECK(config.gc.enabled);
  CHECK_FALSE(config.gc.bounds.max_used_space);
}

TEST_CASE("The space of the store is bounded by sizes, shares or bytes") {
  const auto config = parse_config(
      "[gc]\nenabled = false\nmax-used-space = \"20GB\"\nmin-free-space = \"15%\"\nreserved-space = 4096\n", "c.toml");
  CHECK_FALSE(config.gc.enabled);
  CHECK(config.gc.bounds.max_used_space == cache::Amount{.bytes = 20ULL << 30});
  CHECK(config.gc.bounds.min_free_space == cache::Amount{.percent = 15});
  CHECK(config.gc.bounds.reserved_space == cache::Amount{.bytes = 4096});
}

TEST_CASE("Policies come in their order, the bounds of the store last") {
  const auto config = parse_config(
      "[gc]\nmax-used-space = \"20GB\"\n"
      "[[gc.policy]]\nfilter = [\"type=exec.cachemount\"]\nkeep-duration = \"48h\"\n"
      "[[gc.policy]]\nmax-used-space = 7\n"
      "[[gc.policy]]\nreserved-space = 9\n",
      "c.toml");
  const auto requests = collect_requests(config.gc, "/");
  REQUIRE(requests.size() == 4);
  CHECK_FALSE(requests[0].bounds);
  cache::StoreItem mount{.kind = cache::StoreItem::Kind::cache_mount, .type = "exec.cachemount"};
  CHECK(requests[0].matches(mount));  // last used in 1970
  mount.type = "regular";
  CHECK_FALSE(requests[0].matches(mount));
  CHECK_FALSE(requests[1].matches);
  CHECK(requests[1].bounds->max_used == 7);
  CHECK(requests[1].bounds->min_free == 0);
  CHECK(requests[2].bounds->max_used == 9);  // to be left alone, and so to be left
  CHECK(requests[3].bounds->max_used == 20ULL << 30);
  CHECK(requests[3].bounds->min_free > 0);
  CHECK(collect_requests({.enabled = false, .bounds = {}, .policies = config.gc.policies}, "/").empty());
}

TEST_CASE("What is wrong in a policy is told with file and line") {
  CHECK(config_error("[gc]\npolicy = 1\n") ==
        "2 c.toml:2: gc.policy: a list of tables is expected: write [[gc.policy]] above each");
  CHECK_THAT(config_error("[[gc.policy]]\nfilter = [\"typ=x\"]\n"),
             Catch::Matchers::StartsWith("2 c.toml:2: gc.policy.filter: "));
  CHECK_THAT(config_error("[[gc.policy]]\nkeep-duration = \"2 sheep\"\n"),
             Catch::Matchers::StartsWith("2 c.toml:2: gc.policy.keep-duration: "));
  CHECK_THAT(config_error("[[gc.policy]]\n[[gc.policy]]\nkeep = 1\n"), Catch::Matchers::StartsWith("2 c.toml:3: "));
}

TEST_CASE("What is wrong in a configuration is told with file and line") {
  CHECK(config_error("\n[gc]\nmax-used-spac = \"1GB\"\n") ==
        "2 c.toml:3: unknown key gc.max-used-spac (did you mean max-used-space?)");
  CHECK(config_error("[gv]\n") == "2 c.toml:1: unknown key gv (did you mean gc?)");
  CHECK(config_error("gc = 1\n") == "2 c.toml:1: gc is a table: write [gc]");
  CHECK(config_error("[gc]\nenabled = 1\n") == "2 c.toml:2: gc.enabled: true or false is expected");
  CHECK(config_error("[gc]\nmin-free-space = \"101%\"\n") == "2 c.toml:2: gc.min-free-space: invalid size: '101%'");
  CHECK(config_error("[gc\n").starts_with("2 c.toml:1: "));
}

TEST_CASE("The file that MBUILD_CONFIG names comes first, and must be there") {
  const TemporaryDirectory directory;
  const ScopedVariable home("XDG_CONFIG_HOME", directory.path());
  make_directories(directory / "mbuild");
  write_file_atomically(directory / "mbuild/config.toml", "[gc]\nenabled = false\n");
  {
    const ScopedVariable none("MBUILD_CONFIG", "");
    CHECK(load_config().path == directory / "mbuild/config.toml");
    CHECK_FALSE(load_config().gc.enabled);
  }
  const ScopedVariable named("MBUILD_CONFIG", directory / "other.toml");
  CHECK(error_of([] { load_config(); }) == "2 there is no " + (directory / "other.toml"));
  write_file_atomically(directory / "other.toml", "");
  CHECK(load_config().gc.enabled);
}
