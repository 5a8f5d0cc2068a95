#include "tests/catch.h"
#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("an image context is found under all names of the image") {
  for (const char* name : {"alpine", "alpine:latest", "docker.io/library/alpine"}) {
    INFO(name);
    Build build("FROM alpine\nCOPY --from=docker.io/library/alpine:latest /f /\n");
    build.request.contexts = {{name, "docker-image://base"}};
    build.lower();
    CHECK(build.rounds == std::vector<Strings>{{"docker.io/library/base:latest linux/amd64"}});
  }
}

TEST_CASE("a context for the platform goes before one for all") {
  Build build("FROM x\n");
  build.request.contexts = {{"x::linux/arm64", "docker-image://arm"}, {"x", "docker-image://base"}};
  build.images["docker.io/library/arm:latest"] = simple_image();
  build.platforms({"linux/amd64", "linux/arm64"}).lower();
  CHECK(build.rounds.at(0) ==
        Strings{"docker.io/library/arm:latest linux/arm64", "docker.io/library/base:latest linux/amd64"});
}

TEST_CASE("a star stands for the tags that have no context of their own") {
  Build build(
      "FROM debian:12 AS debian\nFROM docker.io/library/debian\nFROM debian:11\n"
      "COPY --from=debian /f /\nCOPY --from=1 /f /\n");
  build.request.contexts = {{"debian:11", "docker-image://own:11"}, {"debian:*", "docker-image://mirror:v-*"}};
  for (const char* name : {"own:11", "mirror:v-12", "mirror:v-latest"}) {
    build.images["docker.io/library/" + std::string(name)] = simple_image();
  }
  build.lower();
  CHECK(build.rounds.at(0) == Strings{"docker.io/library/mirror:v-12 linux/amd64",
                                      "docker.io/library/mirror:v-latest linux/amd64",
                                      "docker.io/library/own:11 linux/amd64"});
}

TEST_CASE("a pattern for the platform goes before one for all") {
  Build build("FROM x:1\n");
  build.request.contexts = {{"x:*::linux/arm64", "oci-layout:///arm:*"}, {"x:*", "oci-layout:///base:*"}};
  build.images["oci-layout:///arm:1"] = build.images["oci-layout:///base:1"] = simple_image();
  build.platforms({"linux/amd64", "linux/arm64"}).lower();
  CHECK(build.rounds.at(0) == Strings{"oci-layout:///arm:1 linux/arm64", "oci-layout:///base:1 linux/amd64"});
}

TEST_CASE("a star in another place is refused") {
  for (const char* name : {"*", "deb*", "debian:1*", "*:1", "a:*:*"}) {
    INFO(name);
    Build build("FROM scratch\nCOPY f /\n");
    build.request.contexts = {{name, "docker-image://base"}};
    CHECK_THROWS_WITH(build.lower(), Contains("* is in the wrong place"));
  }
  Build build("FROM scratch\nCOPY f /\n");
  build.request.contexts = {{"debian:*", "bases/*"}};
  CHECK_THROWS_WITH(build.lower(), Contains("* is in a directory's name"));
}

TEST_CASE("a layout is asked for by its address") {
  Build build("FROM x\n");
  build.request.contexts = {{"x", "oci-layout:///dir:tag"}};
  build.images["oci-layout:///dir:tag"] = simple_image();
  build.lower();
  CHECK(build.rounds.at(0) == Strings{"oci-layout:///dir:tag linux/amd64"});
}

TEST_CASE("a local directory is copied from with its own ignore file, and has no owners") {
  Build build("FROM base\nCOPY --from=src f /\nCOPY g /\n");
  build.request.contexts = {{"src", "/some/dir"}};
  build.ignore_files = {{"src", "a\n!b\n"}, {"context", "c\n"}};
  const auto lowered = build.lower();
  const auto nodes = chain(lowered);
  const auto& named = source(lowered.graph.nodes.at(nodes.at(1)->inputs.at(1).node));
  CHECK(named.identifier == "local://src");
  CHECK(named.attributes.at("exclude") == "a\n!b");
  CHECK_FALSE(file(*nodes.at(1)).actions.at(0).keep_owner);
  const auto& main = source(lowered.graph.nodes.at(nodes.at(2)->inputs.at(1).node));
  CHECK(main.identifier == "local://context");
  CHECK(main.attributes.at("exclude") == "c");
}

TEST_CASE("a context replaces the stage of its name, whose steps are not lowered") {
  Build build("FROM nowhere/x AS st\nRUN x\nFROM base\nCOPY --from=st /f /\n");
  build.request.contexts = {{"st", "dir"}};
  CHECK(file(root_node(build.lower())).actions.size() == 1);
}

TEST_CASE("FROM a directory makes a layer that history names") {
  Build build("FROM src\nRUN x\n");
  build.request.contexts = {{"src", "dir"}};
  const auto lowered = build.lower();
  CHECK(history(lowered) == Strings{"FROM src", "RUN /bin/sh -c x # buildkit"});
  CHECK(file(*chain(lowered).at(1)).actions.at(0).destination == "/");
}

TEST_CASE("scratch as a context") {
  Build build("FROM nil\nLABEL a=b\n");
  build.request.contexts = {{"nil", "docker-image://scratch"}};
  const auto lowered = build.lower();
  CHECK_FALSE(lowered.images.at(0).root);
  CHECK(lowered.images.at(0).config.working_dir == "/");
}

TEST_CASE("git and http contexts") {
  Build build("FROM base\nCOPY --from=g f /\nCOPY --from=h f /\n");
  build.request.contexts = {{"g", "https://h/a.git#v1"}, {"h", "https://h/file"}};
  const auto lowered = build.lower();
  const auto nodes = chain(lowered);
  CHECK(source(lowered.graph.nodes.at(nodes.at(1)->inputs.at(1).node)).attributes.at("ref") == "v1");
  CHECK(source(lowered.graph.nodes.at(nodes.at(2)->inputs.at(1).node)).identifier == "https://h/file");
}

TEST_CASE("contexts that nothing names are never asked for; scratch and context can't be replaced") {
  Build build("FROM scratch\nLABEL a=b\n");
  build.request.contexts = {{"unused", "docker-image://nowhere/x"}, {"scratch", "docker-image://nowhere/x"}};
  build.lower();
  CHECK(build.rounds.empty());
}

TEST_CASE("contexts that can't be understood") {
  Build build("FROM base\n");
  build.request.contexts = {{"x", "target:other"}};
  CHECK_THAT(build.failure(), Contains("unsupported context source target for x"));
  build.request.contexts = {{"Bad", "dir"}};
  CHECK_THAT(build.failure(), Contains("invalid context name Bad"));
}

TEST_CASE("created of a base is not inherited") {
  Build build("FROM base\n");
  build.images["docker.io/library/base:latest"].created = "2020-01-01T00:00:00Z";
  CHECK(build.lower().images.at(0).config.created.empty());
}

}  // namespace
}  // namespace mbuild::frontend::testing
