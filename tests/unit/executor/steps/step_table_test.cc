#include "executor/steps/step_table.h"

#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

std::shared_ptr<const SnapshotLayer> layer_named(const std::string& id) {
  return std::make_shared<const SnapshotLayer>(SnapshotLayer{.id = id, .result_digest = "sha256:" + id});
}

graph::Graph image_and_run() {
  graph::Graph graph;
  graph.add({.op = graph::SourceOp(graph::ImageSource{"base@sha256:1", {"sha256:a"}}), .inputs = {}, .platform = {}},
            {});
  graph::ExecOp op;
  op.mounts = {{.target = "/", .input = 0, .output = 0}};
  graph.add({.op = op, .inputs = {{0, 0}}, .platform = {}}, {});
  return graph;
}

}  // namespace

TEST_CASE("The result of a step is its base with one more layer") {
  const auto graph = image_and_run();
  StepTable table(graph);
  table.results[0] = {make_snapshot({layer_named("base")})};
  table.set_result(1, layer_named("top"));
  const auto& result = table.result({1, 0});
  REQUIRE(result.layers.size() == 2);
  CHECK(result.layers[0]->id == "base");
  CHECK(result.layers[1]->id == "top");
  CHECK(result.digest == make_snapshot(result.layers).digest);
  CHECK(table.base_of(1).size() == 1);
}
