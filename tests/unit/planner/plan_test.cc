#include "planner/plan.h"

#include <algorithm>

#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::planner;
using graph::Graph;
using graph::NodeId;
using graph::Ref;

namespace {

NodeId add_image(Graph& graph, const std::string& layers) {
  return graph.add({.op = graph::SourceOp(graph::ImageSource{.name = "x", .layers = {layers}})}, {});
}

NodeId add_run(Graph& graph, const std::string& command, std::vector<Ref> inputs) {
  graph::ExecOp op;
  op.argv = {command};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    op.mounts.push_back({.target = "/" + std::to_string(i), .input = static_cast<std::int32_t>(i)});
  }
  return graph.add({.op = std::move(op), .inputs = std::move(inputs)}, {});
}

Plan plan_of(const Graph& graph, NodeId root, const ExpectedDuration& expected = {}) {
  return make_plan(graph, std::vector<Ref>{{root, 0}}, expected);
}

}  // namespace

TEST_CASE("Nodes that no root needs are left out") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto unused = add_run(graph, "unused", {{base, 0}});
  const auto above = add_run(graph, "above", {{unused, 0}});
  const auto root = add_run(graph, "root", {{base, 0}});
  const auto plan = plan_of(graph, root);
  CHECK(plan.order == std::vector<NodeId>{base, root});
  CHECK(plan.definition_keys[unused].empty());
  CHECK(plan.definition_keys[above].empty());
  CHECK(plan.users[base] == std::vector<NodeId>{root});
}

TEST_CASE("What several roots need is planned once") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto left = add_run(graph, "left", {{base, 0}}), right = add_run(graph, "right", {{base, 0}});
  const auto plan = make_plan(graph, std::vector<Ref>{{left, 0}, {right, 0}, {left, 0}});
  CHECK(plan.order == std::vector<NodeId>{base, left, right});
  CHECK(plan.users[base] == std::vector<NodeId>{left, right});
}

TEST_CASE("Without roots there is nothing to do") {
  Graph graph;
  add_image(graph, "a");
  CHECK(make_plan(graph, {}).order.empty());
}

TEST_CASE("Inputs come before their users") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto left = add_run(graph, "left", {{base, 0}}), right = add_run(graph, "right", {{base, 0}});
  const auto both = add_run(graph, "both", {{right, 0}, {left, 0}});
  const auto plan = plan_of(graph, both);
  const auto place = [&](NodeId id) { return std::find(plan.order.begin(), plan.order.end(), id); };
  REQUIRE(plan.order.size() == 4);
  for (const auto id : plan.order) {
    for (const auto& input : graph.nodes[id].inputs) CHECK(place(input.node) < place(id));
  }
}

TEST_CASE("A node that is read twice is one input and one user") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto twice = add_run(graph, "twice", {{base, 0}, {base, 1}});
  const auto plan = plan_of(graph, twice);
  CHECK(plan.inputs_left[twice] == 1);
  CHECK(plan.inputs_left[base] == 0);
  CHECK(plan.users[base] == std::vector<NodeId>{twice});
}

TEST_CASE("A definition key is that of the node with the definition keys of its inputs") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto step = add_run(graph, "step", {{base, 0}});
  const auto plan = plan_of(graph, step);
  CHECK(plan.definition_keys[base] == definition_key(graph.nodes[base], {}));
  CHECK(plan.definition_keys[step] == definition_key(graph.nodes[step], std::vector{plan.definition_keys[base]}));
}

TEST_CASE("A changed step changes the definition keys of all above it and of none below") {
  const auto keys = [](const std::string& middle) {
    Graph graph;
    const auto base = add_image(graph, "a");
    const auto step = add_run(graph, middle, {{base, 0}});
    const auto top = add_run(graph, "top", {{step, 0}});
    return plan_of(graph, top).definition_keys;
  };
  const auto before = keys("one"), after = keys("two");
  CHECK(before[0] == after[0]);
  CHECK(before[1] != after[1]);
  CHECK(before[2] != after[2]);
}

TEST_CASE("Definition keys tell the outputs of an input apart") {
  graph::Node first{.op = graph::MergeOp{}, .inputs = {Ref{0, 0}}}, second = first;
  second.inputs[0].output = 1;
  const std::vector<Digest> keys = {"sha256:x"};
  CHECK(definition_key(first, keys) != definition_key(second, keys));
}

TEST_CASE("Two cache ids are two steps with one definition key") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto with_cache = [&](const std::string& id) {
    graph::ExecOp op;
    op.argv = {"make"};
    op.mounts = {{.target = "/", .input = 0}, {.kind = graph::MountKind::cache, .target = "/c", .id = id}};
    return graph.add({.op = op, .inputs = {Ref{base, 0}}}, {});
  };
  const auto one = with_cache("one"), two = with_cache("two");
  REQUIRE(one != two);
  const auto plan = make_plan(graph, std::vector<Ref>{{one, 0}, {two, 0}});
  CHECK(plan.definition_keys[one] == plan.definition_keys[two]);
}

TEST_CASE("The time that remains is that of the longest path to a root") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto slow = add_run(graph, "slow", {{base, 0}}), fast = add_run(graph, "fast", {{base, 0}});
  const auto both = add_run(graph, "both", {{slow, 0}, {fast, 0}});
  const auto plan = plan_of(graph, both, [&](const Digest& key) -> std::optional<std::int64_t> {
    if (key == duration_key(graph.nodes[slow])) return 5000;
    return key == duration_key(graph.nodes[fast]) ? 20 : 100;
  });
  CHECK(plan.remaining_ms[both] == 100);
  CHECK(plan.remaining_ms[slow] == 5100);
  CHECK(plan.remaining_ms[fast] == 120);
  CHECK(plan.remaining_ms[base] > 5100);
}

TEST_CASE("A duration is remembered whatever the inputs were and whether the cache is ignored") {
  Graph graph;
  const auto base = add_image(graph, "a"), other = add_image(graph, "b");
  const auto one = add_run(graph, "step", {{base, 0}}), two = add_run(graph, "step", {{other, 0}});
  const auto again = graph.add(graph.nodes[one], {.ignore_cache = true});
  REQUIRE(one != two);
  REQUIRE(one != again);
  CHECK(duration_key(graph.nodes[one]) == duration_key(graph.nodes[two]));
  CHECK(duration_key(graph.nodes[one]) == duration_key(graph.nodes[again]));
  CHECK(duration_key(graph.nodes[one]) != duration_key(graph.nodes[base]));
}

TEST_CASE("Users that are not needed do not count for the time that remains") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto root = add_run(graph, "root", {{base, 0}});
  add_run(graph, "unused", {{root, 0}});
  const auto plan = plan_of(graph, root, [](const Digest&) { return 7; });
  CHECK(plan.remaining_ms[root] == 7);
}

TEST_CASE("A command that never ran is expected to take longer than other steps") {
  Graph graph;
  const auto base = add_image(graph, "a");
  const auto step = add_run(graph, "step", {{base, 0}});
  const auto plan = plan_of(graph, step, [](const Digest&) { return std::nullopt; });
  CHECK(plan.remaining_ms[step] > plan.remaining_ms[base] - plan.remaining_ms[step]);
}
