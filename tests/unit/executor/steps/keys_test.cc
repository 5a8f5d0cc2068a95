#include "executor/steps/keys.h"

#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

graph::Node run_node(const std::string& text) {
  graph::ExecOp op;
  op.argv = {"/bin/sh", "-c", text};
  op.mounts = {{.target = "/", .input = 0, .output = 0}, {.target = "/src", .input = 1}};
  return {.op = op, .inputs = {{0, 0}, {1, 0}}, .platform = {}};
}

graph::FileAction copy(std::int32_t base, std::int32_t source) {
  graph::FileAction action;
  action.input = base;
  action.secondary = source;
  action.source = action.destination = "/a";
  return action;
}

graph::Node file_node(std::vector<graph::FileAction> actions, std::vector<graph::Ref> inputs) {
  return {.op = graph::FileOp{std::move(actions)}, .inputs = std::move(inputs), .platform = {}};
}

// Node 0 is an image, node 1 a directory of the user.
graph::Graph two_sources() {
  graph::Graph graph;
  graph.add({.op = graph::SourceOp(graph::ImageSource{"busybox@sha256:1", {"sha256:a"}}), .inputs = {}, .platform = {}},
            {});
  graph.add({.op = graph::SourceOp(graph::LocalSource{"context", {}}), .inputs = {}, .platform = {}}, {});
  return graph;
}

}  // namespace

TEST_CASE("The inputs of a step count in their order") {
  const Digest one[] = {"sha256:a", "sha256:b"}, other[] = {"sha256:b", "sha256:a"};
  CHECK(inputs_key(one) == inputs_key(one));
  CHECK(inputs_key(one) != inputs_key(other));
}

TEST_CASE("A RUN is known by its text and by what it reads of each mount") {
  const ReadDigests read = {{0, "sha256:root"}, {1, "sha256:src"}};
  const Digest key = run_key(run_node("make"), read);
  CHECK(key == run_key(run_node("make"), read));
  CHECK(key != run_key(run_node("make test"), read));
  CHECK(key != run_key(run_node("make"), {{0, "sha256:root"}, {1, "sha256:other"}}));
  CHECK(key != run_key(run_node("make"), {{0, "sha256:src"}, {1, "sha256:root"}}));
}

TEST_CASE(
    "A file step is known by its destination, by what it copies, and by its base where the probe can't tell all") {
  const auto node = file_node({copy(0, 1)}, {{0, 0}, {1, 0}});
  const Digest key = files_key(node, "sha256:probe", {{0, "sha256:files"}}, "");
  CHECK(key == files_key(node, "sha256:probe", {{0, "sha256:files"}}, ""));
  CHECK(key != files_key(node, "sha256:other", {{0, "sha256:files"}}, ""));
  CHECK(key != files_key(node, "sha256:probe", {{0, "sha256:other"}}, ""));
  CHECK(key != files_key(node, "sha256:probe", {{0, "sha256:files"}}, "sha256:base"));
}

TEST_CASE("A partial key is of another kind than the whole one") {
  const auto node = file_node({copy(0, 1)}, {{0, 0}, {1, 0}});
  CHECK(partial_files_key(node, {{0, "sha256:files"}}) != files_key(node, "", {{0, "sha256:files"}}, ""));
  CHECK(partial_files_key(node, {{0, "sha256:files"}}) != partial_files_key(node, {{0, "sha256:other"}}));
}

TEST_CASE("Files of the user on nothing need no probe, unless names or archives are to be looked into") {
  const auto graph = two_sources();
  CHECK_FALSE(has_to_be_probed(graph, file_node({copy(-1, 0)}, {{1, 0}})));
  CHECK(has_to_be_probed(graph, file_node({copy(0, 1)}, {{0, 0}, {1, 0}})));  // a base
  CHECK(has_to_be_probed(graph, file_node({copy(-1, 0)}, {{0, 0}})));         // from an image
  auto named = copy(-1, 0);
  named.owner = "app";
  CHECK(has_to_be_probed(graph, file_node({named}, {{1, 0}})));
  auto archive = copy(-1, 0);
  archive.unpack = true;
  CHECK(has_to_be_probed(graph, file_node({archive}, {{1, 0}})));
}

TEST_CASE("Where a step sets times its key is part of the result") {
  graph::FileOp op{{copy(0, 1)}};
  CHECK(file_result("sha256:layer", op, "sha256:key") == "sha256:layer");
  op.actions[0].timestamp = 0;
  const Digest timed = file_result("sha256:layer", op, "sha256:key");
  CHECK(timed != "sha256:layer");
  CHECK(timed != file_result("sha256:layer", op, "sha256:other"));
  CHECK(is_result_of(timed, "sha256:layer", "sha256:key"));
  CHECK(is_result_of("sha256:layer", "sha256:layer", "sha256:key"));
  CHECK_FALSE(is_result_of(timed, "sha256:layer", "sha256:other"));
  CHECK_FALSE(is_result_of(timed, "sha256:other", "sha256:key"));
}

TEST_CASE("The text of a RUN is the cause of its layer, and other steps have none") {
  CHECK(cause_of(run_node("make")) != cause_of(run_node("make test")));
  CHECK(cause_of(file_node({copy(0, 1)}, {{0, 0}, {1, 0}})).empty());
}

TEST_CASE("Only directories of the user are local sources") {
  const auto graph = two_sources();
  CHECK(local_source(graph, {0, 0}) == nullptr);
  REQUIRE(local_source(graph, {1, 0}) != nullptr);
  CHECK(local_source(graph, {1, 0})->name == "context");
}
