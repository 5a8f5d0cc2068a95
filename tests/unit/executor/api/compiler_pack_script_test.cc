#include "executor/api/compiler_pack_script.h"

#include <string>

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

TEST_CASE("where a pack's compilers come from is one of three words") {
  CHECK(parse_pack_origin("auto") == PackOrigin::automatic);
  CHECK(parse_pack_origin("packages") == PackOrigin::packages);
  CHECK(parse_pack_origin("source") == PackOrigin::source);
  CHECK_THROWS_AS(parse_pack_origin("sources"), Error);
  CHECK_THROWS_AS(parse_pack_origin(""), Error);
}

TEST_CASE("a plan says what is going to be done") {
  const auto plan = parse_pack_plan("from source\ncompiler gcc-12\nown 12.2.0-14+deb12u1\ncross 12.2.0-14cross1\n");
  CHECK(plan.origin == PackOrigin::source);
  CHECK(plan.compiler == "gcc-12");
  CHECK(plan.own == "12.2.0-14+deb12u1");
  CHECK(plan.cross == "12.2.0-14cross1");
  CHECK(parse_pack_plan("from packages\ncompiler gcc-14\nown 14.2.0-19\n").cross.empty());
}

TEST_CASE("packs are made for platforms whose compilers are known to agree") {
  CHECK_THROWS_AS(pack_dockerfile({"linux", "s390x", "", ""}, PackOrigin::automatic), Error);
  const platforms::Platform arm64{"linux", "arm64", "", ""};
  if (platforms::host_platform().arch == "arm64") {
    CHECK_THROWS_AS(pack_dockerfile(arm64, PackOrigin::automatic), Error);
    return;
  }
  const auto text = pack_dockerfile(arm64, PackOrigin::source);
  CHECK(text.contains("triplet=aarch64-linux-gnu arch=arm64 from=source\n"));
  CHECK_FALSE(text.contains("@TRIPLET@"));
}
