#include "tests/catch.h"
#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {
namespace {

using Catch::Matchers::Contains;

// The value that LABEL l takes.
std::string label(Build build) { return build.lower().images.at(0).config.labels["l"]; }

TEST_CASE("a global ARG is seen in a stage only where it is declared again") {
  CHECK(label(Build("ARG g=1\nFROM base\nLABEL l=[$g]\n")) == "[]");
  CHECK(label(Build("ARG g=1\nFROM base\nARG g\nLABEL l=[$g]\n")) == "[1]");
  CHECK(label(Build("ARG g=1\nFROM base\nARG g=2\nLABEL l=[$g]\n")) == "[2]");
}

TEST_CASE("a build argument beats defaults, an empty one too") {
  Build build("ARG g=1\nFROM base\nARG g=2\nARG h=3\nLABEL l=[$g][$h][$u]\n");
  build.request.build_args = {{"g", "9"}, {"h", ""}, {"u", "x"}};
  CHECK(label(build) == "[9][][]");
}

TEST_CASE("ENV wins from its line on, and again in a child stage") {
  const auto lowered = Build("FROM base AS a\nENV v=env\nARG v=arg\nRUN one\nFROM a\nRUN two\n").lower();
  const auto nodes = chain(lowered);
  const auto has = [](const graph::Node& node, const char* text) {
    const auto& env = exec(node).env;
    return std::find(env.begin(), env.end(), text) != env.end();
  };
  CHECK(has(*nodes.at(1), "v=arg"));
  CHECK(has(*nodes.at(2), "v=env"));
  CHECK(lowered.images.at(0).config.env.back() == "v=env");
}

TEST_CASE("a default that is not needed is not expanded") {
  Build build("FROM base\nARG a=${x:?no}\nLABEL l=$a\n");
  CHECK(build.failure().find("x: no") != std::string::npos);
  build.request.build_args["a"] = "given";
  CHECK(label(build) == "given");
}

TEST_CASE("platform arguments") {
  Build build(
      "FROM base\nARG TARGETPLATFORM TARGETARCH TARGETVARIANT BUILDPLATFORM TARGETSTAGE\n"
      "LABEL l=$TARGETPLATFORM,$TARGETARCH,$TARGETVARIANT,$BUILDPLATFORM,$TARGETSTAGE\n");
  build.platforms({"linux/arm/v7"});
  CHECK(label(build) == "linux/arm/v7,arm,v7,linux/amd64,default");
  build.request.build_args["TARGETARCH"] = "mine";
  CHECK(label(build) == "linux/arm/v7,mine,v7,linux/amd64,default");
}

TEST_CASE("TARGETSTAGE is the target or the last stage, in lower case") {
  Build build("FROM base AS one\nARG TARGETSTAGE\nLABEL l=$TARGETSTAGE\nFROM one AS two\n");
  CHECK(label(build) == "two");
  build.request.target = "ONE";
  CHECK(label(build) == "one");
}

TEST_CASE("proxies reach RUN in both spellings and stay out of its environment and history") {
  Build build("FROM base\nRUN x\n");
  build.request.build_args = {{"HTTP_PROXY", "http://p"}, {"no_proxy", "a"}};
  const auto lowered = build.lower();
  CHECK(exec(root_node(lowered)).proxy_env ==
        Strings{"HTTP_PROXY=http://p", "http_proxy=http://p", "NO_PROXY=a", "no_proxy=a"});
  CHECK(exec(root_node(lowered)).env.size() == 1);
  CHECK(history(lowered) == Strings{"RUN /bin/sh -c x # buildkit"});
  Build with_env("FROM base\nENV http_proxy=mine\nRUN x\n");
  with_env.request.build_args = {{"HTTP_PROXY", "http://p"}, {"https_proxy", ""}};
  CHECK(exec(root_node(with_env.lower())).proxy_env == Strings{"HTTP_PROXY=http://p", "http_proxy=http://p"});
}

TEST_CASE("the language that a build argument names does not matter, but it must be named") {
  Build build("FROM base\n");
  build.request.build_args["BUILDKIT_SYNTAX"] = "docker/dockerfile:1";
  build.lower();
  build.request.build_args["BUILDKIT_SYNTAX"] = " ";
  CHECK_THAT(build.failure(), Contains("BUILDKIT_SYNTAX is empty"));
}

TEST_CASE("a language that is not Dockerfile's own is told of") {
  const auto notes_of = [](const std::string& syntax) {
    Build build("# syntax=" + syntax + "\nFROM base\n");
    Strings notes;
    build.request.note = [&](const std::string& note) { notes.push_back(note); };
    build.lower();
    return notes;
  };
  CHECK(notes_of("docker/dockerfile:1").empty());
  CHECK(notes_of("mirror.example.com/hub/docker/dockerfile-upstream:master").empty());
  const auto notes = notes_of("ghcr.io/other/language:v2 --option");
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0], Contains("ghcr.io/other/language:v2 is not run"));
}

TEST_CASE("the epoch reaches config, history and what is made") {
  Build build("ARG SOURCE_DATE_EPOCH=0\nFROM base\nWORKDIR /w\n");
  build.request.build_args["SOURCE_DATE_EPOCH"] = "1500000000";
  const auto lowered = build.lower();
  CHECK(lowered.source_date_epoch == 1500000000);
  CHECK(lowered.images.at(0).config.created == "2017-07-14T02:40:00Z");
  CHECK(lowered.images.at(0).config.history.back().created == "2017-07-14T02:40:00Z");
  CHECK(lowered.images.at(0).config.history.front().created == "2020-01-01T00:00:00Z");
  CHECK(file(root_node(lowered)).actions.at(0).timestamp == 1500000000);
}

TEST_CASE("a global default is an epoch, and a bad one is an error") {
  CHECK(Build("ARG SOURCE_DATE_EPOCH=7\nFROM base\n").lower().source_date_epoch == 7);
  CHECK(Build("ARG SOURCE_DATE_EPOCH=x\nFROM base\n").failure().find("invalid SOURCE_DATE_EPOCH: x") == 0);
}

TEST_CASE("an epoch can be the time of a remote source") {
  Build build("FROM scratch AS t\nADD https://h/f /\nFROM base\nARG SOURCE_DATE_EPOCH\nLABEL l=[$SOURCE_DATE_EPOCH]\n");
  build.request.build_args["SOURCE_DATE_EPOCH"] = "t";
  std::string asked;
  build.request.source_time = [&](const graph::SourceOp& source) -> std::optional<std::int64_t> {
    asked = graph::identifier_of(source);
    return 42;
  };
  CHECK(label(build) == "[42]");
  CHECK(asked == "https://h/f");
  build.request.build_args["SOURCE_DATE_EPOCH"] = "context";  // a directory has no time
  CHECK(label(build) == "[]");
  build.request.context_time = 43;
  CHECK(label(build) == "[43]");
}

TEST_CASE("an empty epoch of the build takes the file's away") {
  Build build("ARG SOURCE_DATE_EPOCH=5\nFROM base\nARG SOURCE_DATE_EPOCH\nLABEL l=[${SOURCE_DATE_EPOCH-unset}]\n");
  CHECK(label(build) == "[5]");
  build.request.build_args["SOURCE_DATE_EPOCH"] = "";
  CHECK(label(build) == "[unset]");
}

TEST_CASE("what a stage that gives the epoch must be") {
  const auto failure = [](const std::string& stage) {
    return Build("ARG SOURCE_DATE_EPOCH=t\n" + stage + "\nFROM base\n").failure();
  };
  CHECK(failure("FROM base AS t\nADD https://h/f /").find("SOURCE_DATE_EPOCH stage must use FROM scratch") == 0);
  CHECK(failure("FROM scratch AS t").find("SOURCE_DATE_EPOCH stage must contain exactly one remote ADD") == 0);
  CHECK(failure("FROM scratch AS t\nADD https://h/f /\nUSER x").find("unsupported USER instruction") !=
        std::string::npos);
  CHECK(failure("FROM scratch AS t\nADD local /").find("must be a single HTTP(S) or Git ADD") != std::string::npos);
}

}  // namespace
}  // namespace mbuild::frontend::testing
