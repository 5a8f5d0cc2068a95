#include "bake/compose/service.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/output_file.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/bake/definitions.h"

using namespace mbuild;
using namespace mbuild::bake;
using mbuild::testing::error_of;
using mbuild::testing::outside_with;
using mbuild::testing::printed;
using mbuild::testing::TemporaryDirectory;

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
  CHECK(shown({"services:\n  a:\n    build: {context: one, tags: [t1]}\n---\nservices:\n  a:\n    build: {tags: "
               "[t2]}\n"}) == R"({"a":{"context":"one","dockerfile":"Dockerfile","tags":["t1","t2"]}})");
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

TEST_CASE("A compose file has services, and each has an image or a build") {
  const auto says = [](const std::string& text) { return error_of([&] { services({text}, outside_with()); }); };
  CHECK(says("# nothing\n") == "2 compose.yaml0: empty compose file");
  CHECK(says("{}\n") == "2 compose.yaml0: empty compose file");
  CHECK(says("services:\n") == "2 compose.yaml0: services must be a mapping, and is nothing");
  CHECK(says("services: {a: }\n") == "2 service \"a\" has neither an image nor a build context");
  CHECK(says("services: {a: {build: }}\n") == "2 compose.yaml0: services.a.build must be a string or a mapping");
  CHECK(services({"services: {}\n"}, outside_with()).groups.empty());
  CHECK(shown({"services: {a: {build: .}}\n", "services: {a: {}}\n"}) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile"}})");
}

TEST_CASE("Members of a build that have another shape are errors that name them") {
  const auto says = [](const std::string& build, const std::string& more = "") {
    return error_of([&] { services({"services:\n  a:\n    build: " + build + "\n" + more}, outside_with()); });
  };
  CHECK(says("{args: {A: [1]}}") == "2 compose.yaml0: services.a.build.args.A must be a string, and is a list");
  CHECK(says("{args: [[A]]}") == "2 compose.yaml0: services.a.build.args must be a list of strings, and is a list");
  CHECK(says("{extra_hosts: [abc]}") ==
        "2 compose.yaml0: services.a.build.extra_hosts: invalid value abc, expected NAME=VALUE");
  CHECK(says("{extra_hosts: {\"a:b\": x}}") == "2 services.a.build.extra_hosts: bad host name 'a:b'");
  CHECK(says("{additional_contexts: [abc]}") ==
        "2 compose.yaml0: services.a.build.additional_contexts: invalid value abc, expected NAME=VALUE");
  CHECK(says("{secrets: {a: b}}") == "2 services.a.build.secrets must be a list");
  CHECK(says("{ulimits: [nofile=5]}") == "2 services.a.build.ulimits must be a mapping");
  CHECK(says("{dockerfile: D, dockerfile_inline: FROM x}") ==
        "2 services.a.build has both dockerfile and dockerfile_inline");
  CHECK(says("{x-bake: {tags: {a: b}}}") == "2 services.a.build.x-bake.tags must be a string or a list of strings");
  CHECK(says("{x-bake: [a]}") == "2 services.a.build.x-bake must be a mapping");
  CHECK(says("{x-bake: {contexts: [a]}}") == "2 services.a.build.x-bake.contexts must be a mapping of strings");
  CHECK(says(".", "    env_file: /no/such.env\n") == "2 services.a: env file /no/such.env not found");
  CHECK(says(".", "    env_file: [{path: /no/such.env, required: no}]\n").empty());
  CHECK(says(".", "  a b: {image: x}\n").starts_with("2 compose.yaml0: services additional properties 'a b'"));
  CHECK(says(".", "secrets: {s: {fil: x}}\n").starts_with("2 compose.yaml0: secrets.s additional properties 'fil'"));
}

TEST_CASE("Members of a build are of the type that they have to be, and not left empty") {
  const auto says = [](const std::string& build) {
    return error_of([&] { shown({"services:\n  a:\n    build:\n      context: .\n      " + build + "\n"}); });
  };
  for (const char* key : {"dockerfile", "dockerfile_inline", "target", "network", "isolation"}) {
    CHECK(says(std::string(key) + ":").find(std::string(key) + " must be a string") != std::string::npos);
    CHECK(says(std::string(key) + ": 1").find(std::string(key) + " must be a string") != std::string::npos);
    CHECK(says(std::string(key) + ": \"1\"").empty());
  }
  for (const char* key : {"args", "labels", "ssh", "additional_contexts", "extra_hosts"})
    CHECK(says(std::string(key) + ":").find(std::string(key) + " must be a mapping") != std::string::npos);
  for (const char* key : {"tags", "platforms", "cache_from", "cache_to", "entitlements", "secrets"})
    CHECK(says(std::string(key) + ":").find(std::string(key) + " must be a list") != std::string::npos);
  CHECK(says("tags: [1]") == "2 services.a.build.tags must be a list of strings");
  CHECK(says("args: [1]").find("args must be a list of strings, and is a number") != std::string::npos);
  CHECK(says("extra_hosts: {a: 1}").find("extra_hosts.a must be a string, and is a number") != std::string::npos);
  CHECK(says("shm_size: 1.5") == "2 services.a.build.shm_size must be a whole number or a size");
  CHECK(says("ulimits: {nofile: {soft: 1, hard: 2, x: 3}}").find("properties 'x' not allowed") != std::string::npos);
  CHECK(says("args: {a: 1, b: true, c: 1.5}").empty());
  CHECK(says("target: !reset null").empty());
  CHECK(says("target: !!str 5").empty());
  CHECK(says("target: 5  # five").find("target must be a string") != std::string::npos);
}

TEST_CASE("A label without a value is there, and hosts are addresses by name") {
  CHECK(shown({"services: {a: {build: {labels: [A, B=b]}}}\n"}) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile","labels":{"A":"","B":"b"}}})");
  const std::string hosts = R"({"a":{"context":".","dockerfile":"Dockerfile","extra-hosts":{"a":"1.1.1.1,::1"}}})";
  CHECK(shown({"services: {a: {build: {extra_hosts: [\"a=1.1.1.1\", \"a:[::1]\"]}}}\n"}) == hosts);
  CHECK(shown({"services: {a: {build: {extra_hosts: {a: [1.1.1.1, \"[::1]\"]}}}}\n"}) == hosts);
}

TEST_CASE("Addresses of several files are merged, and a value may be taken away") {
  CHECK(shown({"services: {a: {build: {extra_hosts: {a: 1.1.1.1}}}}\n",
               "services: {a: {build: {extra_hosts: {a: \"::1\"}}}}\n"}) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile","extra-hosts":{"a":"1.1.1.1,::1"}}})");
  CHECK(shown({"services: {a: {build: {additional_contexts: {a: x, b: y}}}}\n",
               "services: {a: {build: {additional_contexts: {a: !reset null}}}}\n"}) ==
        R"({"a":{"context":".","contexts":{"b":"y"},"dockerfile":"Dockerfile"}})");
}

TEST_CASE("What a service of another file does not say is as if the extending one said it") {
  const TemporaryDirectory here;
  write_output(here / "b.yaml", "services: {b: {build: {args: [V]}, env_file: q.env}}\n");
  write_output(here / "q.env", "V=1\n");
  CHECK(shown({"services: {a: {extends: {file: " + (here / "b.yaml") + ", service: b}}}\n"}) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile","args":{"V":"1"}}})");
}

TEST_CASE("Names within a file of variables are those of the environment, the service, and the file, in this order") {
  const TemporaryDirectory here;
  write_output(here / "e", "A=file\nB=$A\nC=$E\nE=file\nD=$B\n");
  CHECK(shown({"services: {a: {build: {args: [B, C, D]}, environment: [A=own, E=own], env_file: " + (here / "e") +
               "}}\n"},
              outside_with({{"E", "env"}})) ==
        R"({"a":{"context":".","dockerfile":"Dockerfile","args":{"B":"own","C":"env","D":"own"}}})");
}

TEST_CASE("Paths may begin with the home of the user, and those of contexts are cleaned") {
  auto outside = outside_with();
  outside.home = "/home/u";
  CHECK(
      shown({"services: {a: {build: {context: ~/x, additional_contexts: {b: ./x//y/../z, c: \"https://x/../y\"}}}}\n"},
            outside) ==
      R"({"a":{"context":"/home/u/x","contexts":{"b":"x/z","c":"https://x/../y"},"dockerfile":"Dockerfile"}})");
}

TEST_CASE("Yes and no have the words of YAML 1.1, and those alone") {
  const auto with = [](const std::string& build) { return shown({"services: {a: {build: " + build + "}}\n"}); };
  const std::string both = R"({"a":{"context":".","dockerfile":"Dockerfile","pull":true,"no-cache":true}})";
  CHECK(with("{no_cache: yes, pull: On}") == both);
  CHECK(with("{no_cache: \"true\", pull: y}") == both);
  CHECK(with("{x-bake: {no-cache: yes, pull: on}}") == both);
  CHECK(with("{no_cache: off, pull: NO}") == R"({"a":{"context":".","dockerfile":"Dockerfile"}})");
  CHECK(error_of([&] { with("{no_cache: \"1\"}"); }) == "2 services.a.build.no_cache must be true or false");
}

TEST_CASE("An include of several files is one project with variables of its own") {
  const TemporaryDirectory here;
  const auto put = [&](const char* name, const std::string& text) { write_output(here / name, text); };
  for (const char* name : {"one", "two"}) make_directories(here / name);
  put("one/c.yaml", "services: {b: {build: {context: x, args: {V: \"$V\", W: \"$W\"}}, env_file: q.env}}\n");
  put("one/q.env", "");
  put("one/.env", "V=one\nW=one\n");
  put("two/c.yaml", "services: {b: {build: {target: t}}, c: {build: y}}\n");
  put("two/e.env", "V=two\n");
  const auto printed_of = [&](const std::string& text) {
    const auto outside = outside_with({{"W", "w"}});
    const auto project = compose::load_project({{here / "compose.yaml", text, here.path()}}, outside);
    auto all = printed(compose::definition_of(project), {"default"}, {}, outside);
    for (auto at = all.find(here.path()); at != std::string::npos; at = all.find(here.path()))
      all.replace(at, here.path().size(), "HERE");
    return all;
  };
  CHECK(printed_of("include: [{path: [one/c.yaml, two/c.yaml]}]\n") ==
        R"({"b":{"context":"HERE/one/x","dockerfile":"Dockerfile","args":{"V":"one","W":"w"},"target":"t"},)"
        R"("c":{"context":"HERE/one/y","dockerfile":"Dockerfile"}})");
  CHECK(printed_of("include: [{path: one/c.yaml, env_file: two/e.env}]\n") ==
        R"({"b":{"context":"HERE/one/x","dockerfile":"Dockerfile","args":{"V":"two","W":"w"}}})");
  CHECK(printed_of("include: [{path: two/c.yaml, project_directory: one}]\nservices: {c: {image: \"$V\"}}\n") ==
        R"({"b":{"context":"HERE/one","dockerfile":"Dockerfile","target":"t"},)"
        R"("c":{"context":"HERE/one/y","dockerfile":"Dockerfile"}})");
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
  CHECK(text("$5-$-${N:-a$}-$") == "$5-$-a$-$");
  CHECK(error_of([&] { text("${A"); }).starts_with("2 invalid interpolation format"));
  CHECK(error_of([&] { text("${N?why}"); }) == "2 required variable N is missing a value: why");
}
