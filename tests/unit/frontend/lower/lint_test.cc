#include "tests/catch.h"
#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {
namespace {

using Catch::Matchers::Contains;

Strings checked(const std::string& text) { return hits(Build(text).check().warnings); }

TEST_CASE("undefined variables") {
  CHECK(checked("FROM base\nARG a\nLABEL x=$a y=$PATH z=$b w=${c:-d}\nRUN $e\nCOPY $f /\n") ==
        Strings{"UndefinedVar:3", "UndefinedVar:3", "UndefinedVar:5"});
  const auto warning = Build("FROM base\nENV name=1\nLABEL x=$nam\n").check().warnings.at(0);
  CHECK(warning.message == "Usage of undefined variable '$nam' (did you mean $name?)");
}

TEST_CASE("suggestions are near and keep the case") {
  CHECK(Build("FROM base\nLABEL x=$bar\n").check().warnings.at(0).message == "Usage of undefined variable '$bar'");
  CHECK(Build("FROM base\nENV name=1\nLABEL x=$NAME\n").check().warnings.at(0).message ==
        "Usage of undefined variable '$NAME'");
}

TEST_CASE("old forms of ENV and LABEL, in stages that are built") {
  const std::string text =
      "FROM base AS a\nENV a b\nFROM base\nLABEL c d\n# check=skip=LegacyKeyValueFormat\nENV e f\n";
  CHECK(checked(text) == Strings{"LegacyKeyValueFormat:2", "LegacyKeyValueFormat:4"});
  const auto warnings = Build(text).lower().warnings;
  REQUIRE(hits(warnings) == Strings{"LegacyKeyValueFormat:4"});
  CHECK(warnings.at(0).message == "\"LABEL key=value\" should be used instead of legacy \"LABEL key value\" format");
}

TEST_CASE("a comment that is indented asks for nothing") {
  CHECK(checked("FROM base\n  # check=skip=LegacyKeyValueFormat\nENV e f\n") == Strings{"LegacyKeyValueFormat:3"});
}

TEST_CASE("a check option of the build replaces the file's") {
  Build build("FROM base\nRUN a \\\n\n b\nMAINTAINER x\n");
  build.request.build_args["BUILDKIT_DOCKERFILE_CHECK"] = "skip=MaintainerDeprecated";
  CHECK(hits(build.check().warnings) == Strings{"NoEmptyContinuation:4"});
}

TEST_CASE("undeclared arguments in FROM, and defaults that name nothing") {
  CHECK(checked("ARG image\nFROM ba${x}se AS a\nFROM $image\n") ==
        Strings{"UndefinedArgInFrom:2", "InvalidDefaultArgInFrom:3"});
  CHECK(checked("ARG image=base\nFROM $image\nFROM --platform=$TARGETPLATFORN base\n") ==
        Strings{"UndefinedArgInFrom:3"});
}

TEST_CASE("platforms in FROM") {
  CHECK(checked("FROM --platform=$TARGETPLATFORM base AS a\nFROM --platform=${BUILDPLATFORM} base AS b\n"
                "FROM --platform=linux/amd64 base AS c\nFROM --platform=linux/amd64 base AS c-amd64\n") ==
        Strings{"RedundantTargetPlatform:1", "FromPlatformFlagConstDisallowed:3"});
}

TEST_CASE("a base of another platform") {
  Build build("FROM base\n");
  build.images["docker.io/library/base:latest"].platform.arch = "s390x";
  const auto warnings = build.check().warnings;
  REQUIRE(hits(warnings) == Strings{"InvalidBaseImagePlatform:1"});
  CHECK(warnings.at(0).message ==
        "Base image base was pulled with platform \"linux/s390x\", expected \"linux/amd64\" for current build");
}

TEST_CASE("shell form of CMD and ENTRYPOINT") {
  CHECK(checked("FROM base\nCMD a\nFROM base\nENTRYPOINT b\nFROM base\nSHELL [\"s\"]\nCMD c\n") ==
        Strings{"JSONArgsRecommended:2", "JSONArgsRecommended:4"});
}

TEST_CASE("instructions that count once") {
  CHECK(checked("FROM base\nCMD [\"a\"]\nCMD [\"b\"]\nENTRYPOINT [\"a\"]\nENTRYPOINT [\"b\"]\nHEALTHCHECK NONE\n"
                "HEALTHCHECK NONE\nFROM base\nCMD [\"x\"]\n") == Strings{"MultipleInstructionsDisallowed:2",
                                                                         "MultipleInstructionsDisallowed:4",
                                                                         "MultipleInstructionsDisallowed:6"});
}

TEST_CASE("relative directories") {
  CHECK(checked("FROM base AS a\nWORKDIR x\nWORKDIR y\nFROM a\nWORKDIR z\nFROM base\nWORKDIR /x\nWORKDIR y\n") ==
        Strings{"WorkdirRelativePath:2"});
}

TEST_CASE("names that look secret") {
  CHECK(checked("FROM base\nARG PASSWORD\nENV API_KEY=x PUBLIC_KEY=y KEY_FILE=z tokenizer=1\nARG aws_secret_id\n") ==
        Strings{"SecretsUsedInArgOrEnv:2", "SecretsUsedInArgOrEnv:3", "SecretsUsedInArgOrEnv:4"});
}

TEST_CASE("sources that are ignored") {
  Build build("FROM base\nCOPY foo /\nCOPY bar /\nADD sub/x /\nCOPY --from=base foo /\nCOPY . /\n");
  build.ignore_files["context"] = "foo\nsub\n";
  CHECK(hits(build.check().warnings) == Strings{"CopyIgnoredFile:2", "CopyIgnoredFile:4"});
  build.ignore_files["context"] = "foo\n!foo/x\n";
  CHECK(build.check().warnings.empty());
  build.ignore_files["context"] = "**\n";
  CHECK(hits(build.check().warnings).back() == "CopyIgnoredFile:6");
}

TEST_CASE("an absolute source is judged as it is written") {
  Build build("FROM base\nCOPY /foo /\nCOPY /a/sub /\n");
  build.ignore_files["context"] = "foo\n";
  CHECK(build.check().warnings.empty());
  build.ignore_files["context"] = "**/sub\n";
  CHECK(hits(build.check().warnings) == Strings{"CopyIgnoredFile:3"});
  build.ignore_files["context"] = "*\n";
  CHECK(hits(build.check().warnings) == Strings{"CopyIgnoredFile:2", "CopyIgnoredFile:3"});
}

TEST_CASE("ports") {
  CHECK(checked("FROM base\nEXPOSE 80/TCP\nEXPOSE 1.2.3.4:1:2\n") ==
        Strings{"ExposeProtoCasing:2", "ExposeInvalidFormat:3"});
}

TEST_CASE("descriptions are judged when asked for") {
  const std::string text = "# a what it is\nFROM base AS a\n# no\nARG x\n# y yes\nARG y\n";
  CHECK(checked(text).empty());
  CHECK(checked("# check=experimental=all\n" + text) == Strings{"InvalidDefinitionDescription:5"});
  CHECK(checked("# check=experimental=all;experimental=Other\n" + text) == Strings{"InvalidDefinitionDescription:5"});
  CHECK(checked("# check=experimental=all,Other\n" + text).empty());
}

TEST_CASE("rules are silenced for a file, by a build argument, or for an instruction") {
  CHECK(checked("# check=skip=JSONArgsRecommended\nFROM base\nCMD x\n").empty());
  CHECK(checked("FROM base\n# check=skip=all\nCMD x\n").empty());
  Build build("FROM base\nMAINTAINER x\nCMD x\n");
  build.request.build_args["BUILDKIT_DOCKERFILE_CHECK"] = "skip=MaintainerDeprecated";
  CHECK(hits(build.check().warnings) == Strings{"JSONArgsRecommended:3"});
}

TEST_CASE("check=error=true fails the build after it was lowered") {
  CHECK_THAT(Build("# check=error=true\nFROM base\nMAINTAINER x\nCMD x\n").failure(),
             Contains("lint violation found for rules: JSONArgsRecommended, MaintainerDeprecated"));
}

TEST_CASE("a check looks at every stage, a build at those it needs") {
  Build build("FROM base\nCMD x\nFROM base\n");
  CHECK(build.lower().warnings.empty());
  CHECK(hits(build.check().warnings) == Strings{"JSONArgsRecommended:2"});
}

TEST_CASE("warnings of several platforms count once") {
  Build build("FROM base\nLABEL a=$x b=$x\n");
  build.platforms({"linux/amd64", "linux/arm64"});
  CHECK(hits(build.check().warnings) == Strings{"UndefinedVar:2", "UndefinedVar:2"});
}

TEST_CASE("a check goes on without an image, with the rules that do not need it") {
  const auto result = Build("FROM nowhere/x\nWORKDIR rel\nCMD x\nLABEL a=$v\n").check();
  CHECK(hits(result.warnings) == Strings{"WorkdirRelativePath:2"});
  REQUIRE(result.error);
  CHECK_THAT(result.error->message, Contains("nowhere/x"));
  CHECK_THAT(result.error->excerpt, Contains(">>> FROM nowhere/x"));
}

TEST_CASE("warnings found before an error are handed out") {
  Build build("FROM base\nCMD x\nEXPOSE y\n");
  std::vector<dockerfile::Warning> warnings;
  build.failure();  // connects the fixture
  CHECK_THROWS_AS(frontend::lower(build.request, &warnings), Error);
  CHECK(hits(warnings) == Strings{"JSONArgsRecommended:2"});
}

}  // namespace
}  // namespace mbuild::frontend::testing
