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

TEST_CASE("Lines that are no variables are errors") {
  CHECK(error_of([] { parsed("A B=c\n"); }) == "2 .env: \"A B\" is no name of a variable");
  CHECK(error_of([] { parsed("A='b\n"); }) == "2 .env: a quoted value has no end");
}
