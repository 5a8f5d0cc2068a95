#include "bake/compose/dotenv.h"

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::bake::compose;
using Variables = std::map<std::string, std::string>;
using mbuild::testing::error_of;

namespace {

Variables parsed(const std::string& text) {
  return parse_dotenv(".env", text, [](const std::string& name) -> std::optional<std::string> {
    return name == "E" ? std::optional<std::string>("env") : std::nullopt;
  });
}

}  // namespace

TEST_CASE("A file of variables has comments, quotes and names of others") {
  CHECK(parsed("# note\nA=a # not this\nexport B='b $A'\nC=\"${A}\\n$E\"\nD=\nE\n\nF=${N:-x}") ==
        Variables{{"A", "a"}, {"B", "b $A"}, {"C", "a\nenv"}, {"D", ""}, {"E", "env"}, {"F", "x"}});
  CHECK(parsed("").empty());
}

TEST_CASE("A colon may stand for the equals sign, and a dollar before no name is kept") {
  CHECK(parsed("A: a\nB : b\nC=c:d\nD=$5\nE=e$\n") ==
        Variables{{"A", "a"}, {"B", "b"}, {"C", "c:d"}, {"D", "$5"}, {"E", "e$"}});
}

TEST_CASE("Quotes may be within quotes, and what is no escape is kept") {
  CHECK(parsed("A='a\\'b'\nB=\"\\q\\t\\\"\\$A\"\n") == Variables{{"A", "a'b"}, {"B", "\\q\t\"$A"}});
}

TEST_CASE("Lines that are no variables are errors") {
  CHECK(error_of([] { parsed("X=x\n\nA B=c\n"); }) == "2 .env: line 3: \"A B\" is no name of a variable");
  CHECK(error_of([] { parsed("A!=c\n"); }) == "2 .env: line 1: \"A!\" is no name of a variable");
  CHECK(error_of([] { parsed("X=x\nA='b\n\n"); }) == "2 .env: line 2: a quoted value has no end");
  CHECK(error_of([] { parsed("X=x\nA=${N?why}\n"); }) == "2 .env: line 2: required variable N is missing a value: why");
}
