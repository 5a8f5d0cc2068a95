#include <fmt/format.h>

#include "frontend/dockerfile/lint.h"
#include "tests/unit/frontend/syntax_samples.h"

using namespace mbuild::frontend::dockerfile;
using Strings = std::vector<std::string>;

namespace {

// "Rule:line" of each warning.
Strings hits(std::string_view text) {
  Strings out;
  for (const auto& warning : samples::parse(text).warnings) {
    out.push_back(fmt::format("{}:{}", warning.rule, warning.range.first));
  }
  return out;
}

std::string first_message(std::string_view text) { return samples::parse(text).warnings.at(0).message; }

}  // namespace

TEST_CASE("every rule has a name, a description and a page") {
  CHECK(rules().size() == 22);
  CHECK(rule("StageNameCasing").url == "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/");
  CHECK(rule("InvalidDefinitionDescription").experimental);
  CHECK_THROWS_AS(rule("stagenamecasing"), mbuild::Error);
  for (const auto& each : rules()) CHECK_FALSE(each.description.empty());
}

TEST_CASE("stage names: casing, duplicates, reserved words") {
  CHECK(hits("FROM a AS B\nFROM a AS b\nFROM a AS scratch\n") ==
        Strings{"StageNameCasing:1", "DuplicateStageName:2", "ReservedStageName:3"});
  CHECK(first_message("FROM a AS B\n") == "Stage name 'B' should be lowercase");
  CHECK(first_message("FROM a AS context\n") ==
        "Stage name should not use the same name as reserved stage \"context\"");
}

TEST_CASE("AS has the case of FROM") {
  CHECK(hits("FROM a as b\n") == Strings{"FromAsCasing:1"});
  CHECK(first_message("FROM a as b\n") == "'as' and 'FROM' keywords' casing do not match");
  CHECK(hits("from a as b\n").empty());
}

TEST_CASE("keywords have the casing of the majority") {
  CHECK(hits("ARG x\nfrom a\nRUN y\nRun z\nRUN y\n") ==
        Strings{"ConsistentInstructionCasing:2", "ConsistentInstructionCasing:4"});
  CHECK(first_message("from a\nrun y\nRUN z\n") ==
        "Command 'RUN' should match the case of the command majority (lowercase)");
}

TEST_CASE("old forms are pointed at") {
  CHECK(hits("FROM a\nENV b c\nLABEL d e\nMAINTAINER x\nRUN y \\\n\n z\n") ==
        Strings{"MaintainerDeprecated:4", "NoEmptyContinuation:7"});
}

TEST_CASE("the check directive filters, with case") {
  CHECK(hits("# check=skip=MaintainerDeprecated\nFROM a\nMAINTAINER x\n").empty());
  CHECK(hits("# check=skip=maintainerdeprecated\nFROM a\nMAINTAINER x\n").size() == 1);
  CHECK(hits("# check=skip=all\nFROM a\nMAINTAINER x\n").empty());
  CHECK(hits("# check=skip=all;skip=Other\nFROM a\nMAINTAINER x\n").empty());
  CHECK(hits("# check=skip=Other, MaintainerDeprecated\nFROM a\nMAINTAINER x\n").size() == 1);
}

TEST_CASE("a check comment filters for one instruction") {
  CHECK(hits("FROM a\n# check=skip=all\nMAINTAINER x\nMAINTAINER y\n") == Strings{"MaintainerDeprecated:4"});
}

TEST_CASE("rules that compare instructions take no notice of a check comment") {
  CHECK(hits("FROM a AS x\n# check=skip=all\nFROM a AS x\n# check=skip=all\nrun y\n# check=skip=all\nFROM a AS "
             "scratch\n") == Strings{"DuplicateStageName:3", "ConsistentInstructionCasing:5", "ReservedStageName:7"});
}

TEST_CASE("warnings of the lines before a syntax error are not lost") {
  std::vector<Warning> warnings;
  const std::string text = "FROM a AS Name\nMAINTAINER x\nrun y\nBADCMD\nMAINTAINER z\n";
  CHECK_THROWS_AS(parse_dockerfile(text, "Dockerfile", &warnings), mbuild::Error);
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0].rule == "StageNameCasing");
  CHECK(warnings[1].rule == "MaintainerDeprecated");
  CHECK(warnings[1].range.first == 2);
}

TEST_CASE("experimental rules are asked for") {
  const auto& experimental = rule("InvalidDefinitionDescription");
  CHECK_FALSE(is_enabled(experimental, {}));
  CHECK(is_enabled(experimental, parse_check_options("experimental=all;skip=all")));
  CHECK(is_enabled(experimental, parse_check_options("experimental=InvalidDefinitionDescription")));
}

TEST_CASE("other options can be applied to a parsed file") {
  auto file = samples::parse("# check=skip=all\nFROM a\nMAINTAINER x\n");
  CHECK(file.warnings.empty());
  file.check = parse_check_options("error=true");
  CHECK(lint_text(file).size() == 1);
}

TEST_CASE("violations name each rule once") {
  CHECK(violation_message(samples::parse("FROM a as b\nMAINTAINER x\nMAINTAINER y\n").warnings) ==
        "lint violation found for rules: FromAsCasing, MaintainerDeprecated");
  CHECK(violation_message({}).empty());
}

TEST_CASE("check options are read strictly") {
  const auto options = parse_check_options(" skip = A , B ; error=1");
  CHECK(options.skip == Strings{"A", "B"});
  CHECK(options.error);
  for (const auto* text : {"skip", "other=1", "error=maybe"}) {
    CHECK_THROWS_AS(parse_check_options(text), mbuild::Error);
  }
}
