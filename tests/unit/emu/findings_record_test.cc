#include "emu/findings_record.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::error_of;

namespace {

const std::vector<emu::AuditFinding> k_findings = {{.kind = emu::AuditFinding::Kind::interpreter,
                                                    .path = "/bin/x",
                                                    .found = "/lib/ld.so",
                                                    .expected = "",
                                                    .file_kind = "program",
                                                    .compatible = true,
                                                    .found_platform = "linux/arm"},
                                                   {}};

TEST_CASE("Findings come back from the index as they were") {
  const auto back = unpack_findings(pack_findings(k_findings));
  REQUIRE(back.size() == 2);
  CHECK(back[0].kind == emu::AuditFinding::Kind::interpreter);
  CHECK(back[0].path == "/bin/x");
  CHECK(back[0].found == "/lib/ld.so");
  CHECK(back[0].expected.empty());
  CHECK(back[0].file_kind == "program");
  CHECK(back[0].compatible);
  CHECK(back[0].found_platform == "linux/arm");
  CHECK_FALSE(back[1].compatible);
  CHECK(unpack_findings(pack_findings({})).empty());
}

TEST_CASE("The record is what the index's format says: a change of it needs a new one") {
  CHECK(pack_findings({}) == std::string(1, '\0'));
  CHECK(pack_findings(k_findings) == std::string("\2\3\6/bin/x\12/lib/ld.so\0\7program\1\11linux/arm"
                                                 "\0\0\0\0\0\0\0",
                                                 47));
}

TEST_CASE("A record that is cut is an error of the store") {
  const std::string bytes = pack_findings(k_findings);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(error_of([&] { unpack_findings(std::string_view(bytes).substr(0, size)); }).starts_with("4 "));
  }
}

}  // namespace
