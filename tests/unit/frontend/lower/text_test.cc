#include "frontend/lower/text.h"

#include "tests/catch.h"

namespace mbuild::frontend::lowering {
namespace {

TEST_CASE("strings are quoted as Go does") {
  CHECK(go_quote("a\"b\\") == R"("a\"b\\")");
  CHECK(go_quote("\t\n\x01\x7f") == R"("\t\n\x01\x7f")");
  CHECK(go_quote("é世") == "\"é世\"");
  CHECK(go_quote("\xff") == R"("\xff")");
  CHECK(go_quote("\xc2\xa0") == R"("\u00a0")");
  CHECK(go_quote("\xef\xbf\xbd") == "\"\xef\xbf\xbd\"");
}

TEST_CASE("lists are printed as Go does") {
  CHECK(go_quoted_list({}) == "[]");
  CHECK(go_quoted_list({"a", "b c"}) == R"(["a" "b c"])");
  CHECK(go_list({"a", "b c"}) == "[a b c]");
}

TEST_CASE("durations are printed as Go does") {
  CHECK(go_duration(0) == "0s");
  CHECK(go_duration(1) == "1ns");
  CHECK(go_duration(1'500) == "1.5µs");
  CHECK(go_duration(100'000'000) == "100ms");
  CHECK(go_duration(1'500'000'000) == "1.5s");
  CHECK(go_duration(60'000'000'000) == "1m0s");
  CHECK(go_duration(3'661'000'000'000) == "1h1m1s");
}

}  // namespace
}  // namespace mbuild::frontend::lowering
