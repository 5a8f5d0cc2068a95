#include "executor/api/compiler_pack.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

const platforms::Platform k_amd64{"linux", "amd64", "", ""}, k_arm64{"linux", "arm64", "", ""};

}  // namespace

TEST_CASE("the tag of a pack tells both processors and the version of the base") {
  CHECK(pack_tag(k_amd64, k_arm64, "14.2.0-19") == "arm64-on-amd64-14.2.0-19");
  CHECK(pack_tag(k_amd64, k_arm64, "14.2.0-19+b2") == "arm64-on-amd64-14.2.0-19");
  CHECK(pack_tag(k_amd64, k_arm64, "12.2.0-14+deb12u1") == "arm64-on-amd64-12.2.0-14_2bdeb12u1");
  CHECK(pack_tag(k_amd64, k_arm64, "14-2024~x_y") == "arm64-on-amd64-14-2024_7ex_5fy");
  CHECK(pack_tag(k_amd64, k_arm64, "").empty());
  CHECK(pack_tag(k_amd64, k_arm64, std::string(120, '1')).empty());
}

TEST_CASE("a pack's facts are lines of words") {
  const auto facts = parse_pack_facts(
      "compiler pack 1\nplatform linux/arm64\nbase 14.2.0-19\npackage cpp 2cross1\npackage binutils 3\n"
      "program ab usr/bin/as\nreplaces cd usr/bin/as\nanother fact of later\n");
  CHECK(facts.platform == "linux/arm64");
  CHECK(facts.base == "14.2.0-19");
  CHECK(facts.packages == std::vector<std::pair<std::string, std::string>>{{"cpp", "2cross1"}, {"binutils", "3"}});
  const auto said = pack_annotations(facts);
  CHECK(said.at("vnd.mbuild.compiler-pack.packages") == "cpp 2cross1\nbinutils 3");
  CHECK(said.at("vnd.mbuild.compiler-pack.programs") == "sha256:ab usr/bin/as");
  CHECK(said.at("vnd.mbuild.compiler-pack.replaces") == "sha256:cd usr/bin/as");
  CHECK_FALSE(pack_annotations(parse_pack_facts("platform linux/arm64\nbase 1\n"))
                  .contains("vnd.mbuild.compiler-pack.replaces"));
}

TEST_CASE("packs are looked for in repositories and directories") {
  for (const char* place : {"registry.example.com/team/packs", "team/packs", "/srv/packs", "./packs", "oci-layout://x"})
    CHECK_NOTHROW(check_pack_place(place));
  for (const char* place : {"registry.example.com/team/packs:tag", "Bad Name", ""})
    CHECK_THROWS_AS(check_pack_place(place), Error);
}
