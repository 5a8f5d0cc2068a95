#include "tests/catch.h"
#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("only stages that the target needs ask for images") {
  Build build("FROM nowhere/x AS bad\nFROM base AS used\nRUN one\nFROM base\nCOPY --from=used / /\n");
  build.lower();
  CHECK(build.rounds == std::vector<Strings>{{"docker.io/library/base:latest linux/amd64"}});
}

TEST_CASE("all platforms ask in one round, each image once") {
  Build build("FROM --platform=$BUILDPLATFORM base AS b\nFROM base\nCOPY --from=b / /\n");
  build.platforms({"linux/arm64", "linux/amd64"}).lower();
  CHECK(build.rounds == std::vector<Strings>{{"docker.io/library/base:latest linux/amd64",
                                              "docker.io/library/base:latest linux/arm64"}});
}

TEST_CASE("triggers of an image may ask for more") {
  Build build("FROM trig\n");
  build.images["docker.io/library/trig:latest"] = simple_image();
  build.images["docker.io/library/trig:latest"].on_build = {"COPY --from=extra /f /", "ENV fired=1"};
  build.images["docker.io/library/extra:latest"] = simple_image();
  const auto lowered = build.lower();
  REQUIRE(build.rounds.size() == 2);
  CHECK(build.rounds.at(1) == Strings{"docker.io/library/extra:latest linux/amd64"});
  CHECK(history(lowered) == Strings{"COPY /f / # buildkit", "*ENV fired=1"});
  CHECK(lowered.images.at(0).config.on_build.empty());
  CHECK(name_of(lowered, root_node(lowered)) == "[2/2] ONBUILD COPY --from=extra /f /");
}

TEST_CASE("triggers of a stage fire in its child and not in the grandchild") {
  const auto lowered = Build("FROM base AS a\nONBUILD RUN hit\nFROM a AS b\nFROM b\nRUN end\n").lower();
  CHECK(history(lowered) == Strings{"RUN /bin/sh -c hit # buildkit", "RUN /bin/sh -c end # buildkit"});
  CHECK(Build("FROM base\nONBUILD RUN x\n").lower().images.at(0).config.on_build == Strings{"RUN x"});
}

TEST_CASE("FROM compares case, --from and the target do not") {
  Build build("FROM base AS one\nRUN x\nFROM base AS last\nCOPY --from=ONE / /\n");
  build.request.target = "Last";
  CHECK(chain(build.lower()).size() == 2);
  CHECK_THAT(Build("FROM base AS one\nFROM One\n").failure(), Contains("must be lowercase"));
}

TEST_CASE("of two stages with one name the last is meant by --from") {
  const auto lowered =
      Build("FROM base AS x\nRUN 1\nFROM base AS x\nRUN 2\nFROM scratch\nCOPY --from=x /f /\n").lower();
  const auto& copy = root_node(lowered);
  CHECK(exec(lowered.graph.nodes.at(copy.inputs.at(0).node)).argv.back() == "2");
}

TEST_CASE("stages by number") {
  CHECK(Build("FROM base\nRUN x\nFROM base\nCOPY --from=0 /f /\n").failure().empty());
  CHECK_THAT(Build("FROM base\nCOPY --from=9 /f /\n").failure(), Contains("invalid stage index 9"));
  CHECK_THAT(Build("FROM base\nCOPY --from=-1 /f /\n").failure(), Contains("invalid stage index -1"));
}

TEST_CASE("errors of stages") {
  CHECK_THAT(Build("FROM $x\n").failure(), Contains("base name ($x) should not be blank"));
  CHECK_THAT(Build("FROM base:$x AS unused\nFROM base\n").failure(),
             Contains("failed to parse stage name \"base:\": invalid reference format"));
  CHECK_THAT(Build("FROM --platform=$TARGETPLATFROM base\n").failure(),
             Contains("empty platform value from expression $TARGETPLATFROM (did you mean TARGETPLATFORM?)"));
  CHECK_THAT(Build("FROM --platform=a/b/c/d base\n").failure(), Contains("failed to parse platform"));
  CHECK_THAT(Build("FROM base AS a\nCOPY --from=a / /\n").failure(),
             Contains("circular dependency detected on stage: a"));
  CHECK_THAT(Build("FROM base AS a\nCOPY --from=b / /\nFROM base AS b\nCOPY --from=a / /\n").failure(),
             Contains("circular dependency") && Contains(">>> COPY --from=a"));
  CHECK_THAT(Build("FROM base\nCOPY --from=$x / /\n").failure(),
             Contains("variable expansion is not supported for --from"));
  Build mistyped("FROM base AS build\n");
  mistyped.request.target = "bulid";
  CHECK_THAT(mistyped.failure(), Contains("target stage \"bulid\" could not be found (did you mean build?)"));
}

TEST_CASE("a later stage is missed only where it is needed") {
  const std::string text = "FROM base AS first\nCOPY --from=later /f /\nFROM base AS later\n";
  CHECK(Build(text).failure().empty());
  Build build(text);
  build.request.target = "first";
  CHECK_THAT(build.failure(), Contains("cannot copy from stage \"later\", it needs to be defined before current stage "
                                       "\"first\"") &&
                                  Contains("Dockerfile:2"));
}

TEST_CASE("an image that can't be had shows its FROM") {
  CHECK_THAT(Build("FROM base\nFROM nowhere/x\n").failure(),
             Contains("docker.io/nowhere/x:latest: not found") && Contains(">>> FROM nowhere/x"));
}

TEST_CASE("names of steps") {
  Build build(
      "FROM --platform=$BUILDPLATFORM base AS build\nARG TARGETARCH\nRUN a $TARGETARCH\n"
      "FROM base\nCOPY --from=build /f /\nWORKDIR /w\n");
  const auto lowered = build.platforms({"linux/arm64"}).lower();
  CHECK(names(lowered).at(1) == "[build 2/2] RUN a arm64");
  build.platforms({"linux/arm64", "linux/amd64"});
  const auto many = names(build.lower());
  CHECK(std::find(many.begin(), many.end(), "[linux/amd64->arm64 build 2/2] RUN a arm64") != many.end());
  CHECK(std::find(many.begin(), many.end(), "[linux/arm64 stage-1 3/3] WORKDIR /w") != many.end());
  CHECK(names(Build("FROM base\nRUN x\n").lower()).back() == "[2/2] RUN x");
}

TEST_CASE("what does not depend on the platform is one node") {
  Build build("FROM scratch\nCOPY a /a\nARG TARGETARCH\nLABEL l=$TARGETARCH\n");
  const auto lowered = build.platforms({"linux/arm64", "linux/amd64"}).lower();
  CHECK(lowered.graph.nodes.size() == 2);
  CHECK(lowered.images.at(0).root == lowered.images.at(1).root);
  CHECK(lowered.images.at(0).config.labels != lowered.images.at(1).config.labels);
}

TEST_CASE("no-cache marks steps, of all stages or of those named") {
  Build build("FROM base AS One\nRUN x\nFROM one AS two\nRUN y\n");
  build.request.no_cache_filter = {"ONE"};
  const auto lowered = build.lower();
  CHECK(lowered.graph.info.at(1).front().ignore_cache);
  CHECK_FALSE(lowered.graph.info.at(2).front().ignore_cache);
  build.request.no_cache = true;
  CHECK(build.lower().graph.info.at(2).front().ignore_cache);
}

TEST_CASE("a chain of very many stages") {
  std::string text = "FROM base AS s0\n";
  for (int i = 0; i < 20000; ++i) text += "FROM s" + std::to_string(i) + " AS s" + std::to_string(i + 1) + "\n";
  CHECK(Build(text).lower().images.at(0).root);
}

TEST_CASE("independent errors are told together, each once for all platforms") {
  Build build(
      "FROM base AS a\nSTOPSIGNAL nope\nFROM a\nCOPY --chmod=9 x /\nENV x=${y:?}\nLABEL l=${x:?}\nFROM base\n"
      "EXPOSE z\nCOPY --from=1 / /\n");
  const std::string failure = build.platforms({"linux/amd64", "linux/arm64"}).failure();
  CHECK(failure.find("line 2: invalid signal: nope\nline 4: invalid chmod parameter: '9'") == 0);
  CHECK(failure.find("\nline 5: ") != std::string::npos);
  CHECK(failure.find("\nline 6: ") == std::string::npos);  // follows from line 5
  CHECK(failure.find("\nline 8: invalid containerPort: z\n") != std::string::npos);
  CHECK(failure.find("line 8:", failure.find("line 8:") + 1) == std::string::npos);
  CHECK(failure.find("   8 | >>> EXPOSE z") != std::string::npos);
}

TEST_CASE("errors of several FROM lines are told together") {
  const std::string failure =
      Build("FROM --platform=$none base\nFROM base:\nCOPY --from=$x a /\nFROM ${x}\n").failure();
  CHECK(failure.find("line 1: empty platform value") == 0);
  CHECK(failure.find("\nline 3: variable expansion is not supported for --from") != std::string::npos);
  CHECK(failure.find("\nline 4: base name (${x}) should not be blank") != std::string::npos);
}

}  // namespace
}  // namespace mbuild::frontend::testing
