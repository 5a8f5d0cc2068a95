#include "emu/survey.h"

#include <algorithm>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/platforms/samples.h"

using namespace mbuild;
using namespace mbuild::emu;

namespace {

const Support& of(const std::vector<Support>& all, std::string_view name) {
  const auto found = std::ranges::find_if(all, [&](const auto& one) { return one.descriptor->name == name; });
  REQUIRE(found != all.end());
  return *found;
}

}  // namespace

TEST_CASE("every platform is in the survey, the host's own first") {
  const auto all = survey(testing::k_amd64, {{"/nowhere"}, "/nowhere", true, false});
  CHECK(all.size() == platforms::all_descriptors().size());
  CHECK(all.front().descriptor->name == "linux/amd64");
  CHECK(all.front().how->kind == Execution::Kind::native);
  const auto& foreign = of(all, "linux/riscv64");
  CHECK_FALSE(foreign.how);
  CHECK(foreign.problem.find("no emulator for linux/riscv64") != std::string::npos);
  CHECK_FALSE(foreign.remedy.empty());
}

TEST_CASE("the version of QEMU is the number in its first line") {
  CHECK(version_number("qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)") == "7.2.22");
  CHECK(version_number("qemu-arm version 10.0.2") == "10.0.2");
  CHECK(version_number("FEX-2506") == "FEX-2506");
  CHECK(version_number("").empty());
}

TEST_CASE("an emulator that is no program has no native programs in it") {
  testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/qemu-aarch64-static";
  write_file_atomically(path, "#!/bin/sh\n");
  const auto& descriptor = *platforms::find_descriptor(testing::k_arm64);
  CHECK(acceleration_obstacle(descriptor, {Execution::Kind::qemu, path, ""}).contains("layout"));
  CHECK(acceleration_obstacle(descriptor, {Execution::Kind::qemu, path + "-none", ""}).contains("layout"));
}
