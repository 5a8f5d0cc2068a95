#include "bake/read.h"

#include "base/error.h"
#include "base/output_file.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/bake/definitions.h"

using namespace mbuild;
using namespace mbuild::bake;
using mbuild::testing::error_of;
using mbuild::testing::outside_with;
using mbuild::testing::TemporaryDirectory;

TEST_CASE("An empty file is as one that is not there, whatever its kind") {
  const TemporaryDirectory here;
  const auto put = [&](const char* name, const char* text) {
    write_output(here / name, text);
    return here / name;
  };
  const auto hcl = put("a.hcl", "target \"default\" {}\n");
  const std::vector<std::string> empty = {put("compose.yaml", ""), put("b.json", ""), put("b.hcl", "")};
  for (const auto& file : empty) {
    CHECK(read_definition({.files = {file, hcl}, .root = ""}, outside_with()).targets.size() == 1);
    CHECK(error_of([&] { read_definition({.files = {file}, .root = ""}, outside_with()); }) ==
          "2 couldn't find a bake definition");
  }
  const auto comment = put("docker-compose.yaml", "# nothing\n");
  CHECK(error_of([&] { read_definition({.files = {comment, hcl}, .root = ""}, outside_with()); }) ==
        "2 " + comment + ": empty compose file");
}
