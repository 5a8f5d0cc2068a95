#include "bake/blocks.h"

#include <algorithm>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/bake/definitions.h"

using namespace mbuild;
using namespace mbuild::bake;
using mbuild::testing::definition_of;
using mbuild::testing::error_of;
using mbuild::testing::outside_with;

namespace {

bool says(const std::string& text, const std::string& phrase, const Outside& outside = outside_with()) {
  const auto error = error_of([&] { definition_of(text, outside); });
  INFO(error);
  return error.find(phrase) != std::string::npos;
}

std::string description(const std::string& text, const Outside& outside = outside_with()) {
  const auto definition = definition_of(text, outside);
  return *text_of(definition.targets.back(), Attribute::description);
}

}  // namespace

TEST_CASE("A variable has the value of a flag, the environment or its default") {
  const std::string text = "variable \"V\" { default = \"d\" }\ntarget \"t\" { description = V }\n";
  CHECK(description(text) == "d");
  auto outside = outside_with({{"V", "e"}});
  CHECK(description(text, outside) == "e");
  outside.given["V"] = "f";
  CHECK(description(text, outside) == "f");
  CHECK(description(text, outside_with({{"V", "e"}, {"BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP", "1"}})) == "d");
}

TEST_CASE("A variable's type decides how text is read") {
  const std::string list =
      "variable \"L\" { type = list(number) }\ntarget \"t\" { description = \"${L[0] + L[1]}\" }\n";
  CHECK(description(list, outside_with({{"L", "1,2.5"}})) == "3.5");
  CHECK(description(list, outside_with({{"L", "9"}, {"L_JSON", "[1, 1]"}})) == "2");
  CHECK(says(list, "failed to parse L as number", outside_with({{"L", "x"}})));
  const std::string map = "variable \"M\" { type = map(string) }\ntarget \"t\" { description = M.b }\n";
  CHECK(description(map, outside_with({{"M", "a:1,\"b:2,3\""}})) == "2,3");
  CHECK(says(map, "one k/v pair", outside_with({{"M", "a:b:c"}})));
  CHECK(says("variable \"T\" { type = tuple([string, string]) }\n", "expects 2 elements but only 1",
             outside_with({{"T", "a"}})));
}

TEST_CASE("Numbers from outside are doubles, as text writes them") {
  const std::string sum = "variable \"X\" { default = 1 }\ntarget \"t\" { description = X + 0.2 }\n";
  CHECK(description(sum, outside_with({{"X", "0.1"}})) == "0.3000000000000000055511151231257827021181583404541015625");
  CHECK(description(sum, outside_with({{"X", "+1_000"}})) == "1000.2");
  CHECK(description(sum, outside_with({{"X", "-0x1p4"}})) == "-15.8");
  CHECK(description(sum, outside_with({{"X", "1e-400"}})) == "0.2");
  CHECK(description("variable \"X\" { default = 1 }\ntarget \"t\" { description = X == 0.1 && X != 0.2 }\n",
                    outside_with({{"X", "0.1"}})) == "true");
  for (const char* none : {"1e400", "inf", "nan", "0x10", "1__0", "_1", "1p5", "", "-", "1 "})
    CHECK(says(sum, "failed to parse X as number", outside_with({{"X", none}})));
}

TEST_CASE("A type that is null is none, and infinity is shown as nothing") {
  CHECK(description("variable \"V\" {\n  type = null\n  default = [1]\n}\ntarget \"t\" { description = V[0] }\n") ==
        "1");
  const auto shown = [](const std::string& text) { return *definition_of(text).variables.front().value; };
  CHECK(shown("variable \"V\" {\n  type = any\n  default = 1 / 0\n}\n").empty());
  CHECK(shown("variable \"V\" { default = 1 / 0 }\n") == "+Inf");
}

TEST_CASE("Composable attributes are lists of texts and objects, never null") {
  const auto of = [](const std::string& attribute) { return "target \"t\" {\n  " + attribute + "\n}\n"; };
  for (const char* name : {"attest", "cache-from", "cache-to", "secret", "ssh", "output", "policy", "resources"})
    CHECK(says(of(std::string(name) + " = null"), "null value is not allowed"));
  CHECK(says(of("output = [null]"), "null value is not allowed"));
  CHECK(says(of("cache-from = [1]"), "string or object required, but have number"));
  CHECK(says(of("output = setunion([\"a\"])"), "list of string or object required"));
  CHECK(says(of("resources = { cpu-shares = 1.5 }"), "cpu-shares: a whole number is required"));
  CHECK(says(of("secret = [{ id = \"a\", env = [] }]"), "string required"));
}

TEST_CASE("Secrets and agents that are objects have their own members alone") {
  const auto definition = definition_of(
      "target \"t\" {\n  secret = [{ id = \"a\", env = \"E\", type = \"file\", more = [] }]\n"
      "  ssh = [{ id = \"k\", paths = [\"p\"], more = 1 }]\n}\n");
  const auto& target = definition.targets.back();
  CHECK(entries_of(target, Attribute::secret) == Entries{{.fields = {{"id", "a"}, {"env", "E"}}, .paths = {}}});
  CHECK(entries_of(target, Attribute::ssh) == Entries{{.fields = {{"id", "k"}}, .paths = {"p"}}});
  const auto nameless = definition_of("target \"t\" { ssh = [{ paths = [\"p\"] }] }\n");
  CHECK(entries_of(nameless.targets.back(), Attribute::ssh) == Entries{{.fields = {}, .paths = {"p"}}});
}

TEST_CASE("References have all members, set or not") {
  const std::string b =
      "target \"b\" {\n  output = [{ type = \"image\" }]\n  resources = { memory = \"1g\", cpu-shares = 5 }\n}\n"
      "group \"g\" { targets = [\"b\"] }\n";
  const auto shown = [&](const std::string& what) {
    return description(b + "target \"t\" { description = jsonencode(" + what + ") }\n");
  };
  CHECK(shown("target.b.output") == R"([{"dest":"","type":"image"}])");
  CHECK(shown("target.b.resources") ==
        R"({"cpu-period":null,"cpu-quota":null,"cpu-shares":5,"cpuset-cpus":null,"cpuset-mems":null,"memory":"1g",)"
        R"("memory-swap":null})");
  CHECK(shown("group.g") == R"({"description":"","name":"g","targets":["b"]})");
}

TEST_CASE("An empty text is no list, which has a variable of its own") {
  for (const char* type : {"list(string)", "set(string)", "map(string)", "tuple([string])"}) {
    const auto text = std::string("variable \"L\" { type = ") + type + " }\ntarget \"t\" {}\n";
    CHECK(says(text, "it is empty; L_JSON takes []", outside_with({{"L", ""}})));
  }
  CHECK(description("variable \"L\" { type = list(string) }\ntarget \"t\" { description = length(L) }\n",
                    outside_with({{"L_JSON", "[]"}})) == "0");
}

TEST_CASE("Functions and validations have their own members alone") {
  const auto function = [](const std::string& more) {
    return "function \"f\" {\n  params = [a]\n  result = a\n  " + more + "\n}\n";
  };
  CHECK(says(function("c = 1"), "x.hcl:4,3-4: Unsupported argument; An argument named \"c\" is not expected here."));
  CHECK(says(function("b {}"), "x.hcl:4,3-4: Unsupported block type; Blocks of type \"b\" are not expected here."));
  const auto validation = [](const std::string& labels, const std::string& more) {
    return "variable \"V\" {\n  validation " + labels + " {\n    condition = true\n    " + more + "\n  }\n}\n";
  };
  CHECK(says(validation("", "c = 1"), "Unsupported argument"));
  CHECK(says(validation("\"x\"", ""), "Extraneous label for validation"));
  CHECK_FALSE(says(validation("", ""), "x.hcl"));
}

TEST_CASE("A validation that does not hold shows its message") {
  CHECK(says(
      "variable \"V\" {\n  default = 1\n  validation {\n    condition = V > 1\n    error_message = \"low\"\n  }\n}\n",
      "x.hcl:4,17-22: Validation failed; low"));
}

TEST_CASE("What needs itself is an error") {
  CHECK(says("a = b\nb = a\n", "variable cycle not allowed"));
  CHECK(says("function \"f\" {\n  params = [x]\n  result = f(x)\n}\n", "function cycle not allowed for f"));
  CHECK(says("target \"a\" { context = target.b.context }\ntarget \"b\" { context = target.a.context }\n",
             "reference cycle not allowed"));
}

TEST_CASE("Targets refer to what others set themselves") {
  CHECK(description("target \"a\" { tags = [\"x:1\"] }\ntarget \"t\" { description = target.a.tags[0] }\n") == "x:1");
  CHECK(description("target \"a\" {}\ntarget \"t\" { description = \"${target.a.context == null}\" }\n") == "true");
  CHECK(says("target \"a\" {}\ntarget \"t\" { description = target.a.tag }\n", "named \"tag\""));
  CHECK(says("target \"t\" { description = target.a.tags[0] }\n", "no target named \"a\""));
}

TEST_CASE("A matrix makes a target of each combination, and a group of them") {
  const auto definition = definition_of(
      "target \"m\" {\n  name = \"m-${a}-${b}\"\n  matrix = {\n    a = [\"x\", \"y\"]\n    b = [1, 2]\n  }\n}\n");
  CHECK(definition.targets.size() == 4);
  REQUIRE(definition.groups.size() == 1);
  CHECK(definition.groups[0].targets->size() == 4);
  CHECK(says("target \"m\" { matrix = { a = [1, 2] } }\n", "duplicate name \"m\""));
  CHECK(says("target \"m\" {\n  name = \"m\"\n}\n", "name requires matrix"));
  CHECK(says("target \"m\" {\n  name = \"m\"\n  matrix = { a = \"x\" }\n}\n", "matrix values must be a list"));
}

TEST_CASE("All that the targets of one name become is a group of it") {
  const auto definition = definition_of(
      "target \"m\" {\n name = \"m-${a}\"\n matrix = { a = [\"x\", \"y\"] }\n}\n"
      "target \"m\" {\n name = \"m-${a}\"\n matrix = { a = { one = \"z\" } }\n}\n"
      "target \"m\" {\n args = { q = \"1\" }\n}\n");
  REQUIRE(definition.groups.size() == 1);
  CHECK(definition.groups[0].targets == Texts{"m-x", "m-y", "m-z", "m"});
}

TEST_CASE("A variable whose name stands for a value as well has that, or what is given") {
  const std::string text = "variable \"X\" {\n type = number\n}\nX = \"b\"\ntarget \"a\" {\n description = X\n}\n";
  CHECK(description(text) == "b");
  CHECK(description(text, outside_with({{"X", "e"}})) == "e");
}

TEST_CASE("What is null where there has to be a text is an error") {
  CHECK(says("target \"a\" {\n contexts = { b = null }\n}\n", "null value is not allowed"));
  CHECK(says("target \"a\" {\n description = null\n}\n", "null value is not allowed"));
}

TEST_CASE("A value of any type comes as JSON") {
  const std::string text = "variable \"X\" {\n type = any\n}\ntarget \"a\" {\n description = X\n}\n";
  CHECK(says(text, "unsupported type dynamic for variable X", outside_with({{"X", "e"}})));
  CHECK(description(text, outside_with({{"X_JSON", R"({"value":"e","type":"string"})"}})) == "e");
}

TEST_CASE("What nobody knows gives a warning with what was meant") {
  const auto definition = definition_of("target \"a\" {\n  tag = [nothing]\n}\nvariable \"V\" {}\ntargett \"b\" {}\n");
  const auto warned = [&](const std::string& phrase) {
    return std::ranges::any_of(definition.warnings,
                               [&](const auto& warning) { return warning.find(phrase) != std::string::npos; });
  };
  CHECK(warned("x.hcl:2,3-6: target \"a\" has no attribute \"tag\", which is ignored (did you mean tags?)"));
  CHECK(warned("variable \"V\" is not used"));
  CHECK(warned("there are no blocks \"targett\", and it is ignored (did you mean target?)"));
}
