#include "planner/plan.h"

#include <algorithm>

// Keys that need no file.
//
// A step has a definition key (here) and a content key (executor/steps). The definition key covers what the step does
// and, by the definition keys of its inputs, all that leads to it; it is known as soon as there is a graph. The content
// key covers what the step really reads. Neither alone would do: with definition keys only, one changed byte in a
// context runs all that is below it, be the results the same; with content keys only, every look-up would have to read
// files first. So the index maps (definition key, result digests of the inputs) to a content key. The inputs' digests
// are what their own look-up gave, hit or run, so that a step which was run again and gave the same result leaves all
// that is below it cached: the early cut-off. Going up the graph that way takes rows of a table and no file.
//
// A definition key is made of the inputs' definition keys and not of their step ids, since a step id tells apart what
// does not change a result: the names of cache mounts.
//
// All here is pure, so that it can be tested by values and does not care when it is called.
namespace mbuild::planner {
namespace {

constexpr std::int64_t k_unknown_exec_ms = 1000;
constexpr std::int64_t k_other_ms = 10;

std::vector<bool> reachable(const graph::Graph& graph, std::span<const graph::Ref> roots) {
  std::vector<bool> needed(graph.nodes.size());
  for (const auto& root : roots) needed[root.node] = true;
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {  // users come after their inputs
    if (!needed[i]) continue;
    for (const auto& input : graph.nodes[i].inputs) needed[input.node] = true;
  }
  return needed;
}

std::vector<graph::NodeId> distinct_inputs(const graph::Node& node) {
  std::vector<graph::NodeId> ids;
  for (const auto& input : node.inputs) ids.push_back(input.node);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

std::int64_t duration_of(const graph::Graph& graph, graph::NodeId id, const ExpectedDuration& expected) {
  if (!std::holds_alternative<graph::ExecOp>(graph.nodes[id].op)) return k_other_ms;
  if (expected) {
    if (const auto known = expected(duration_key(graph.nodes[id]))) return *known;
  }
  return k_unknown_exec_ms;
}

}  // namespace

Digest duration_key(const graph::Node& node) { return sha256(graph::canonical_parameters(node)); }

Digest definition_key(const graph::Node& node, std::span<const Digest> keys_of_inputs) {
  Sha256 hash;
  hash.field("definition");
  hash.field(graph::canonical_parameters(node));
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    hash.field(keys_of_inputs[i]);
    hash.number(node.inputs[i].output);
  }
  return hash.digest();
}

Plan make_plan(const graph::Graph& graph, std::span<const graph::Ref> roots, const ExpectedDuration& expected) {
  const auto count = graph.nodes.size();
  const auto needed = reachable(graph, roots);
  Plan plan;
  plan.definition_keys.resize(count);
  plan.users.resize(count);
  plan.inputs_left.resize(count);
  plan.remaining_ms.resize(count);
  for (graph::NodeId id = 0; id < count; ++id) {
    if (!needed[id]) continue;
    plan.order.push_back(id);
    std::vector<Digest> keys;
    for (const auto& input : graph.nodes[id].inputs) keys.push_back(plan.definition_keys[input.node]);
    plan.definition_keys[id] = definition_key(graph.nodes[id], keys);
    const auto inputs = distinct_inputs(graph.nodes[id]);
    plan.inputs_left[id] = static_cast<std::uint32_t>(inputs.size());
    for (const auto input : inputs) plan.users[input].push_back(id);
  }
  for (auto it = plan.order.rbegin(); it != plan.order.rend(); ++it) {
    std::int64_t after = 0;
    for (const auto user : plan.users[*it]) after = std::max(after, plan.remaining_ms[user]);
    plan.remaining_ms[*it] = after + duration_of(graph, *it, expected);
  }
  return plan;
}

}  // namespace mbuild::planner
