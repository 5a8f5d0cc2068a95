#include "bake/overrides.h"

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/bake/definitions.h"

using namespace mbuild;
using namespace mbuild::bake;
using mbuild::testing::definition_of;
using mbuild::testing::error_of;
using mbuild::testing::outside_with;
using mbuild::testing::printed;

namespace {

constexpr const char* k_text = "target \"a\" {\n  tags = [\"t:1\"]\n  output = [\"type=image,name=x\"]\n}\n";
constexpr const char* k_begin = R"({"a":{"context":".","dockerfile":"Dockerfile",)";

std::string with(const std::vector<std::string>& sets) {
  const auto text = printed(definition_of(k_text), {"a"}, sets);
  const std::string begin = k_begin;
  REQUIRE(text.starts_with(begin));
  return text.substr(begin.size(), text.size() - begin.size() - 2);
}

}  // namespace

TEST_CASE("Lists are replaced by --set, or appended to") {
  const std::string output = R"("output":[{"name":"x","type":"image"}])";
  CHECK(with({"a.tags=n:1", "a.tags=n:2"}) == R"("tags":["n:1","n:2"],)" + output);
  CHECK(with({"*.tags+=n:1"}) == R"("tags":["t:1","n:1"],)" + output);
  CHECK(with({"a.tags="}) == output);
  CHECK(with({"a.tags=n:1", "a.tags+=n:2"}) == R"("tags":["t:1","n:1","n:2"],)" + output);
  CHECK(with({"a.tags+=n:1", "a.tags=n:2"}) == R"("tags":["n:1","n:2"],)" + output);
}

TEST_CASE("Without pushing the last output takes the place of each to a registry") {
  CHECK(with({"a.tags=", "a.output=type=registry,name=r", "a.output=type=local,dest=d", "a.output=type=image",
              "a.push=false"}) == R"("output":[{"push":"false","type":"image"},{"dest":"d","type":"local"}])");
}

TEST_CASE("Sources of a secret are set by its own id, whatever is set before or after") {
  const auto definition = definition_of("target \"a\" {\n  secret = [\"id=s,env=A\"]\n}\n");
  CHECK(printed(definition, {"a"}, {"a.secret.s=env=B", "a.secrets=id=s,env=C"}).find("\"env\":\"B\"") !=
        std::string::npos);
  CHECK(error_of([&] { printed(definition, {"a"}, {"a.secret.s=id=t,env=B"}); }) ==
        "2 secret override id \"t\" does not match declared secret \"s\"");
}

TEST_CASE("An argument without a value is empty where the environment is kept out") {
  const auto outside = outside_with({{"BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP", "1"}, {"HERE", "x"}});
  CHECK(printed(definition_of("target \"a\" {}\n", outside), {"a"}, {"a.args.HERE"}, outside).find(R"("HERE":"")") !=
        std::string::npos);
}

TEST_CASE("Names of arguments may have dots") {
  CHECK(with({"a.args.x.y=1=2", "a.output=", "a.tags="}) == R"("args":{"x.y":"1=2"})");
}

TEST_CASE("Pushing and loading change the outputs") {
  CHECK(with({"a.push=true", "a.tags="}) == R"("output":[{"name":"x","push":"true","type":"image"}])");
  CHECK(with({"a.load=true", "a.tags="}) == R"("output":[{"name":"x","type":"image"},{"type":"docker"}])");
  CHECK(with({"a.output=type=local,dest=d", "a.load=true", "a.push=true", "a.tags="}) ==
        R"("output":[{"dest":"d","type":"local"}])");
  CHECK(with({"a.output=", "a.push=true", "a.tags="}) == R"("output":[{"push":"true","type":"image"}])");
}

TEST_CASE("Overrides that mean nothing are usage errors") {
  const auto says = [](const std::string& set) {
    return error_of([&] { printed(definition_of(k_text), {"a"}, {set}); });
  };
  CHECK(says("a=x") == "2 invalid override key a, expected target.name");
  CHECK(says("a.context") == "2 invalid override a.context, expected target.name=value");
  CHECK(says("a.args=x") == "2 invalid key args, args requires name");
  CHECK(says("b.context=x").starts_with("2 could not find any target matching 'b'"));
  CHECK(says("a.colour=red") == "2 unknown key: colour");
  CHECK(says("a.resources.memory+=1g") == "2 invalid key a.resources.memory+, resources does not support append");
  CHECK(says("a.pull=maybe") == "2 invalid value maybe for boolean key pull");
  CHECK(says("a.secret.s=env=E") == "2 secret s must be declared before it can be overridden");
}

TEST_CASE("A path that --set names is granted") {
  const auto definition = definition_of(k_text);
  const auto outside = outside_with();
  const auto overrides = parse_overrides({"a.cache-to=type=local,dest=/c"}, definition, outside);
  CHECK(select(definition, {"a"}, overrides, outside).targets.at("a").granted == Texts{"/c"});
}
