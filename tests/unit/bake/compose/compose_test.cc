#include "bake/compose/service.h"

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/bake/definitions.h"

using namespace mbuild;
using namespace mbuild::bake;
using mbuild::testing::error_of;
using mbuild::testing::outside_with;
using mbuild::testing::printed;

namespace {

Definition services(const std::vector<std::string>& texts, const Outside& outside) {
  std::vector<compose::ComposeFile> files;
  for (const auto& text : texts) files.push_back({"compose.yaml" + std::to_string(files.size()), text, ""});
  return compose::definition_of(compose::load_project(files, outside));
}

std::string shown(const std::vector<std::string>& texts, const Outside& outside = outside_with()) {
  return printed(services(texts, outside), {"default"});
}

}  // namespace

TEST_CASE("Services with a build are targets") {
  CHECK(shown({"services:\n  my.web:\n    build: ./web\n  db:\n    image: x\n"}) ==
        R"({"my_web":{"context":"web","dockerfile":"Dockerfile"}})");
}

TEST_CASE("Compose files are merged key by key, lists one after the other") {
  CHECK(shown({"services:\n  a:\n    build: {context: one, args: [A=1, B=1], tags: [t1]}\n",
               "services:\n  a:\n    build: {args: {B: 2}, tags: [t1, t2]}\n"}) ==
        R"({"a":{"context":"one","dockerfile":"Dockerfile","args":{"A":"1","B":"2"},"tags":["t1","t2"]}})");
}

TEST_CASE("Services extend others, and YAML has anchors and merge keys") {
  CHECK(shown({"services:\n  b:\n    build: &b\n      context: b\n      args: {A: 1.50}\n  a:\n    extends: b\n"
               "    build: {target: t}\n"}) ==
        R"({"a":{"context":"b","dockerfile":"Dockerfile","args":{"A":"1.5"},"target":"t"},)"
        R"("b":{"context":"b","dockerfile":"Dockerfile","args":{"A":"1.5"}}})");
  CHECK(shown({"x-b: &b {context: b, target: t}\nservices:\n  a:\n    build:\n      <<: *b\n      target: u\n"}) ==
        R"({"a":{"context":"b","dockerfile":"Dockerfile","target":"u"}})");
}

TEST_CASE("Arguments without a value come from the service, then from the environment") {
  const auto outside = outside_with({{"E", "env"}, {"S", "env"}});
  CHECK(shown({"services:\n  a:\n    environment: [S=own]\n    build: {args: [S, E, N]}\n"}, outside) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile","args":{"E":"env","S":"own"}}})");
}

TEST_CASE("A ulimit of one number is both limits, and sizes are shown as people write them") {
  CHECK(shown({"services:\n  a:\n    build: {shm_size: 128m, ulimits: {nproc: 5, nofile: {soft: 1, hard: 2}}}\n"}) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile","shm-size":"128MiB","ulimits":["nofile=1:2","nproc=5:5"]}})");
}

TEST_CASE("x-bake adds to a build") {
  CHECK(shown({"services:\n  a:\n    build: {platforms: [linux/amd64], x-bake: {platforms: linux/amd64 linux/arm64, "
               "no-cache: true, colour: red}}\n"}) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile","platforms":["linux/amd64","linux/arm64"],"no-cache":true}})");
}

TEST_CASE("Compose files that say nothing sensible are usage errors") {
  const auto says = [](const std::string& text) { return error_of([&] { services({text}, outside_with()); }); };
  CHECK(says("services:\n  a:\n    build: 5\n") == "2 compose.yaml0: services.a.build must be a string or a mapping");
  CHECK(says("services:\n  a:\n    build: {colour: red}\n")
            .starts_with("2 services.a.build additional properties 'colour' not allowed"));
  CHECK(says("services:\n  a:\n   build: [\n").starts_with("2 parsing compose.yaml0: yaml: line "));
  CHECK(says("a: &a [*a]\n").starts_with("2 parsing compose.yaml0: yaml: line "));
  CHECK(says("services:\n  a:\n    build: \"${D:?need it}\"\n").find("need it") != std::string::npos);
  CHECK(says("services:\n  a: {build: ., extends: a}\n").find("extends itself") != std::string::npos);
}

TEST_CASE("Variables are replaced in all forms") {
  const compose::Lookup lookup = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "a";
    if (name == "EMPTY") return "";
    return std::nullopt;
  };
  const auto text = [&](const char* from) { return compose::interpolate(from, lookup); };
  CHECK(text("$A-${A}-$$A") == "a-a-$A");
  CHECK(text("${EMPTY:-d}${EMPTY-d}${N-d}") == "dd");
  CHECK(text("${A:+x}${EMPTY:+x}${EMPTY+x}") == "xx");
  CHECK(text("${N:-${A}}") == "a");
  CHECK(error_of([&] { text("${A"); }).starts_with("2 invalid interpolation format"));
  CHECK(error_of([&] { text("${N?why}"); }) == "2 required variable N is missing a value: why");
}
