#include "worker/sandbox/user.h"

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::executor {
namespace {

constexpr const char* k_passwd =
    "root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\napp:x:1000:1000:app:/home/app:/bin/sh\n"
    "dev:x:1001:2001::/home/dev:\nsvc:x:1002:3000\n";
constexpr const char* k_group = "root:x:0:\nwheel:x:10:root,app\napp:x:1000:\nextra:x:2000:app,dev\ndevs:x:2001:\n";

using Groups = std::vector<gid_t>;

SandboxUser user(const char* text) { return resolve_user(text, k_passwd, k_group); }

}  // namespace

TEST_CASE("no user is root with root's groups") {
  const auto root = user("");
  CHECK(root.uid == 0);
  CHECK(root.groups == Groups{10, 0});
  CHECK(root.home == "/root");
}

TEST_CASE("a name brings its group, home and further groups") {
  const auto dev = user("dev");
  CHECK(dev.uid == 1001);
  CHECK(dev.gid == 2001);
  CHECK(dev.groups == Groups{2000, 2001});
  CHECK(dev.home == "/home/dev");
}

TEST_CASE("a number in passwd is that user") {
  CHECK(user("1000").gid == 1000);
  CHECK(user("1000").groups == Groups{10, 2000, 1000});
}

TEST_CASE("a number that is not in passwd has group 0 and home /") {
  CHECK(user("1234").gid == 0);
  CHECK(user("1234").groups == Groups{0});
  CHECK(user("1234").home == "/");
}

TEST_CASE("a given group is the only one") {
  CHECK(user("app:extra").gid == 2000);
  CHECK(user("app:extra").groups == Groups{2000});
  CHECK(user("1234:1235").gid == 1235);
  CHECK(user("root:0").groups == Groups{0});
}

TEST_CASE("a passwd line without a home gives /") { CHECK(user("svc").home == "/"); }

TEST_CASE("an unknown user or group is an error in runc's words") {
  CHECK_THROWS_WITH(user("ghost"), "unable to find user ghost: no matching entries in passwd file");
  CHECK_THROWS_WITH(user("app:ghosts"), "unable to find group ghosts: no matching entries in group file");
  CHECK_THROWS_WITH(resolve_user("app", "", ""), Catch::Contains("unable to find user app"));
}

TEST_CASE("groups are added by name or number, each once") {
  auto dev = user("dev");
  add_groups({"wheel", "2000", "77"}, k_group, dev);
  CHECK(dev.groups == Groups{2000, 2001, 10, 77});
  CHECK_THROWS_AS(add_groups({"nosuch"}, k_group, dev), Error);
}

TEST_CASE("without passwd numbers and root still work") {
  CHECK(resolve_user("", "", "").uid == 0);
  CHECK(resolve_user("5:6", "", "").gid == 6);
}

TEST_CASE("ids beyond 2147483647 are refused") { CHECK_THROWS_AS(user("4294967295"), Error); }

}  // namespace mbuild::executor
