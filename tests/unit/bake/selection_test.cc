#include "bake/selection.h"

#include <algorithm>

#include "bake/requests.h"
#include "base/error.h"
#include "base/output_file.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/bake/definitions.h"

using namespace mbuild;
using namespace mbuild::bake;
using mbuild::testing::definition_of;
using mbuild::testing::error_of;
using mbuild::testing::outside_with;
using mbuild::testing::printed;
using mbuild::testing::TemporaryDirectory;

namespace {

Selection selected(const std::string& text, const std::vector<std::string>& words) {
  const auto definition = definition_of(text);
  return select(definition, words, {}, outside_with());
}

std::vector<std::string> names(const std::map<std::string, Target>& targets) {
  std::vector<std::string> list;
  for (const auto& [name, target] : targets) list.push_back(name);
  return list;
}

}  // namespace

TEST_CASE("Groups nest, and a group hides a target of its name but as its own member") {
  const std::string text =
      "group \"g\" { targets = [\"g\", \"h\"] }\ngroup \"h\" { targets = [\"a\"] }\n"
      "target \"g\" {}\ntarget \"a\" {}\ntarget \"b\" {}\n";
  const auto selection = selected(text, {"g"});
  CHECK(names(selection.targets) == std::vector<std::string>{"a", "g"});
  CHECK(selection.groups.at("default").targets == Texts{"g"});
  CHECK(selection.groups.contains("h"));
}

TEST_CASE("A group within itself is no target") {
  CHECK(error_of([] {
          selected("group \"a\" { targets = [\"b\"] }\ngroup \"b\" { targets = [\"a\"] }\n", {"a"});
        }).find("failed to find target a") != std::string::npos);
}

TEST_CASE("Patterns mean groups and targets") {
  const std::string text = "group \"app\" { targets = [\"x\"] }\ntarget \"app1\" {}\ntarget \"x\" {}\n";
  CHECK(names(selected(text, {"app*"}).targets) == std::vector<std::string>{"app1", "x"});
  CHECK(error_of([&] { selected(text, {"z*"}); }).find("could not find any target matching \"z*\"") !=
        std::string::npos);
}

TEST_CASE("A class of a pattern is negated by ^ alone, and has at least one character") {
  const std::string text = "target \"a1\" {}\ntarget \"b1\" {}\n";
  CHECK(names(selected(text, {"[ab]1"}).targets) == std::vector<std::string>{"a1", "b1"});
  CHECK(names(selected(text, {"[^a]1"}).targets) == std::vector<std::string>{"b1"});
  CHECK(names(selected(text, {"[!a]1"}).targets) == std::vector<std::string>{"a1"});
  CHECK(error_of([&] { selected(text, {"[]"}); }).find("could not find any target matching \"[]\"") !=
        std::string::npos);
}

TEST_CASE("Parents are merged in their order, each with its own") {
  const auto definition = definition_of(R"(
target "root" { args = { x = "root", r = "root" } }
target "left" {
  inherits = ["root"]
  args = { x = "left" }
}
target "right" {
  inherits = ["root"]
  tags = ["r"]
}
target "t" { inherits = ["left", "right"] }
)");
  CHECK(printed(definition, {"t"}) ==
        R"({"t":{"context":".","dockerfile":"Dockerfile","args":{"r":"root","x":"root"},"tags":["r"]}})");
}

TEST_CASE("An empty description keeps the one that is inherited") {
  const auto definition = definition_of(R"(
target "p" { description = "text" }
target "t" {
  inherits = ["p"]
  description = ""
}
)");
  CHECK(printed(definition, {"t"}) == R"({"t":{"description":"text","context":".","dockerfile":"Dockerfile"}})");
}

TEST_CASE("Secrets and resources are printed in an order of their own, and resources even when there are none") {
  const auto definition = definition_of(
      "target \"a\" {\n  secret = [\"env=E,id=s\"]\n  resources = { cpu-shares = 5, memory = \"1g\" }\n}\n"
      "target \"b\" { resources = {} }\n");
  CHECK(printed(definition, {"a"}).find(R"("secret":[{"id":"s","env":"E"}])") != std::string::npos);
  CHECK(printed(definition, {"a"}).find(R"("resources":{"memory":"1g","cpu-shares":5})") != std::string::npos);
  CHECK(printed(definition, {"b"}).find(R"("resources":{})") != std::string::npos);
}

TEST_CASE("Outputs go where they can go") {
  const TemporaryDirectory here;
  write_output(here / "file", "");
  const auto shown = [](const std::string& outputs) {
    return printed(definition_of("target \"a\" { output = [" + outputs + "] }\n"), {"a"});
  };
  const auto says = [&](const std::string& outputs, const char* phrase) {
    return error_of([&] { shown(outputs); }).find(phrase) != std::string::npos;
  };
  CHECK(shown("\"type=oci\"").find(R"({"dest":"-","type":"oci"})") != std::string::npos);
  CHECK(shown("\"type=docker\"").find(R"([{"type":"docker"}])") != std::string::npos);
  CHECK(says("\"type=local\"", "dest is required for local exporter"));
  CHECK(says("\"type=oci,tar=false,dest=-\"", "dest cannot be stdout for oci exporter"));
  CHECK(says("\"" + (here / "file") + "\"", "is a file"));
  CHECK(says("\"type=tar,dest=/\"", "destination file / is a directory"));
  CHECK(says("\"type=tar\", \"type=oci\"", "multiple outputs configured to write to stdout"));
}

TEST_CASE("An empty size is none") {
  CHECK(error_of([] { selected("target \"a\" { shm-size = \"\" }\n", {"a"}); }) ==
        "2 target a: invalid value  for shm-size");
}

TEST_CASE("Targets that are contexts are there, with their outputs taken away") {
  const auto definition = definition_of(R"(
target "base" { output = ["type=docker"] }
target "t" { contexts = { b = "target:base" } }
)");
  const auto selection = select(definition, {"t"}, {}, outside_with());
  CHECK(selection.linked == std::set<std::string>{"base"});
  CHECK(entries_of(selection.targets.at("base"), Attribute::output)[0].fields.at("type") == "cacheonly");
  const auto both = select(definition, {"t", "base"}, {}, outside_with());
  CHECK(entries_of(both.targets.at("base"), Attribute::output)[0].fields.at("type") == "docker");
}

TEST_CASE("A context of its own is an error, and so is a circle") {
  CHECK(error_of([] { selected("target \"a\" { contexts = { x = \"target:a\" } }\n", {"a"}); }) ==
        "2 target a cannot link to itself");
  CHECK(error_of([] {
          selected(
              "target \"a\" { contexts = { x = \"target:b\" } }\ntarget \"b\" { contexts = { x = \"target:a\" } }\n",
              {"a"});
        }).starts_with("2 infinite loop from b to a"));
}

TEST_CASE("Ways that part and meet again and again are followed once") {
  std::string text = "target \"t0\" { args = { n = 0 } }\ngroup \"g0\" { targets = [\"t0\"] }\n";
  for (int i = 1; i <= 60; ++i) {
    const auto level = [i](const char* kind, int down) { return kind + std::to_string(i - down); };
    const auto both = [&](const char* a, const char* b, int down) {
      return "[\"" + level(a, down) + "\", \"" + level(b, down) + "\"]";
    };
    const char* second = i == 1 ? "t" : "u";
    for (const char* name : {"t", "u"}) {
      text += "target \"" + level(name, 0) + "\" {\n  inherits = " + both("t", second, 1) +
              "\n  contexts = { a = \"target:" + level("t", 1) + "\", b = \"target:" + level(second, 1) + "\" }\n}\n";
    }
    for (const char* name : {"g", "h"}) {
      text += "group \"" + level(name, 0) + "\" { targets = " + both("g", i == 1 ? "g" : "h", 1) + " }\n";
    }
  }
  const auto targets = selected(text, {"t60"}).targets;
  CHECK(targets.size() == 120);
  CHECK(pairs_of(targets.at("t60"), Attribute::args) == Pairs{{"n", "0"}});
  CHECK(names(selected(text, {"g60"}).targets) == std::vector<std::string>{"t0"});
}

TEST_CASE("A list of platforms in one string is printed as it is written, and built one by one") {
  const auto definition = definition_of("target \"t\" { platforms = [\"linux/amd64,linux/arm64\", \"local\"] }\n");
  CHECK(printed(definition, {"t"}) ==
        R"({"t":{"context":".","dockerfile":"Dockerfile","platforms":["linux/amd64,linux/arm64","local"]}})");
  const auto requests = target_requests(select(definition, {"t"}, {}, outside_with()), outside_with());
  auto expected = platforms::parse_platform_list("linux/amd64,linux/arm64");
  if (std::ranges::find(expected, platforms::host_platform()) == expected.end())
    expected.push_back(platforms::host_platform());
  CHECK(requests.at(0).platforms == expected);
  CHECK(
      error_of([] { selected("target \"t\" { platforms = [\"linux/amd64,\"] }\n", {"t"}); }).starts_with("2 target t"));
}

TEST_CASE("The epoch of the environment is an argument of all targets that have none") {
  const auto outside = outside_with({{"SOURCE_DATE_EPOCH", "7"}});
  const auto definition = definition_of("target \"a\" {}\n", outside);
  CHECK(printed(definition, {"a"}, {}, outside) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile","args":{"SOURCE_DATE_EPOCH":"7"}}})");
}
