#include "executor/steps/explain.h"

#include "executor/steps/step_inputs.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

// RUNs of one stage, one on the other.
struct Chain {
  explicit Chain(const std::vector<std::string>& texts, const std::string& stage = "stage-0") {
    graph.add({.op = graph::SourceOp(graph::ImageSource{"base@sha256:1", {"sha256:a"}}), .inputs = {}, .platform = {}},
              {});
    for (const auto& text : texts) {
      graph::ExecOp op;
      op.argv = {text};
      op.mounts = {{.target = "/", .input = 0, .output = 0}};
      const auto below = static_cast<graph::NodeId>(graph.nodes.size() - 1);
      graph::NodeInfo info;
      info.stage = stage;
      graph.add({.op = op, .inputs = {{below, 0}}, .platform = {}}, info);
    }
    for (graph::NodeId id = 0; id < graph.nodes.size(); ++id) plan.order.push_back(id);
  }
  std::vector<StepPlace> places() const { return places_of(graph, plan); }
  // As a build of this chain leaves it.
  std::vector<cache::SeenStep> seen() const {
    std::vector<cache::SeenStep> out;
    for (const auto& place : places()) {
      const StepInputs inputs{.settings = settings_of(graph.nodes[place.id]), .parts = {}};
      out.push_back({.place = place.text(), .key = "sha256:key", .inputs = pack_inputs(inputs)});
    }
    return out;
  }
  std::vector<std::optional<std::size_t>> pairs(const Chain& before) const {
    return pair_with_seen(graph, places(), before.seen());
  }

  graph::Graph graph;
  planner::Plan plan;
};

using Pairs = std::vector<std::optional<std::size_t>>;

}  // namespace

TEST_CASE("The place of a step is its number among the steps of its stage") {
  const auto places = Chain({"one", "two"}).places();
  REQUIRE(places.size() == 2);
  CHECK(places[0].text() == "stage-0\n0");
  CHECK(places[1].text() == "stage-0\n1");
}

TEST_CASE("Steps are paired with what was seen of them before, by their settings") {
  CHECK(Chain({"one", "two"}).pairs(Chain({"one", "two"})) == Pairs{0, 1});
  CHECK(Chain({"new", "one", "two"}).pairs(Chain({"one", "two"})) == Pairs{std::nullopt, 0, 1});
  CHECK(Chain({"two"}).pairs(Chain({"one", "two"})) == Pairs{1});
}

TEST_CASE("Of equal steps the nearest is taken, and each once") {
  CHECK(Chain({"same", "same"}).pairs(Chain({"same", "same"})) == Pairs{0, 1});
  CHECK(Chain({"same", "same"}).pairs(Chain({"same"})) == Pairs{0, std::nullopt});
}

TEST_CASE("A step with other settings is paired with what was in its place, if nobody took that") {
  CHECK(Chain({"one", "changed"}).pairs(Chain({"one", "two"})) == Pairs{0, 1});
  CHECK(Chain({"changed", "one"}).pairs(Chain({"one"})) == Pairs{std::nullopt, 0});
}

TEST_CASE("Steps of another stage are not compared") {
  CHECK(Chain({"one"}).pairs(Chain({"one"}, "other")) == Pairs{std::nullopt});
}
