#include "executor/steps/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "executor/steps/step_inputs.h"

// Why a step ran.
//
// A miss by itself has no reason: there is no result for this key, that is all. So for every place in a Dockerfile
// (stage, platform, number of the step) the store keeps what the step there read when it was last looked up, and the
// reason is the difference. It is written only where the key changed, after the build: an unchanged build costs one
// query.
//
// Instructions move when one is put in above them. So steps are first paired with what was seen by equal settings,
// nearest place first, and only those that are left with what was seen at their own place, where nobody took that.
namespace mbuild::executor {

std::string StepPlace::text() const { return fmt::format("{}\n{}", stage, number); }

std::vector<StepPlace> places_of(const graph::Graph& graph, const planner::Plan& plan, std::uint32_t target) {
  std::vector<StepPlace> out;
  std::map<std::string, std::size_t> counts;
  for (const auto id : plan.order) {
    const auto& node = graph.nodes[id];
    if (!std::holds_alternative<graph::ExecOp>(node.op) && !std::holds_alternative<graph::FileOp>(node.op)) continue;
    std::string stage = graph::info_for(graph, id, target).stage;
    if (node.platform) stage += " " + platforms::to_string(*node.platform);
    const auto number = counts[stage]++;
    out.push_back({.id = id, .stage = std::move(stage), .number = number});
  }
  return out;
}

namespace {

std::string shown_name(const graph::Graph& graph, graph::Ref ref) {
  const auto& node = graph.nodes[ref.node];
  if (const auto* source = std::get_if<graph::SourceOp>(&node.op)) {
    const auto* image = std::get_if<graph::ImageSource>(source);
    return image == nullptr ? graph::identifier_of(*source)
                            : "base image " + image->name.substr(0, image->name.rfind('@'));
  }
  return "the result of " + graph.info[ref.node].front().name;
}

std::string name_of_mounted(const graph::Graph& graph, const std::string& target, bool is_root, graph::Ref input) {
  if (!is_root) return fmt::format("what is mounted at {} from {}", target, shown_name(graph, input));
  if (graph::is_image_source(graph.nodes[input.node])) return shown_name(graph, input);
  return "the state after " + graph.info[input.node].front().name;
}

std::string name_of_copied(const graph::Graph& graph, const std::string& source, graph::Ref input) {
  const auto& node = graph.nodes[input.node];
  const auto* op = std::get_if<graph::SourceOp>(&node.op);
  const bool fetched = op != nullptr && !graph::is_image_source(node);
  return fetched ? graph::identifier_of(*op) : fmt::format("{} of {}", source, shown_name(graph, input));
}

Digest content_of(const Trace& trace, std::size_t index) {
  const auto found = trace.content.find(index);
  return found == trace.content.end() ? Digest() : found->second;
}

InputPart part_of(std::string id, const std::shared_ptr<const Contexts::Selected>& files, std::string name) {
  return {.id = std::move(id),
          .name = std::move(name),
          .whole = files->digest,
          .content = files->digest,
          .files = file_states(files->selection)};
}

void add_parts(StepInputs& inputs, const SeenBuild& build, graph::NodeId id, const graph::ExecOp& op) {
  const auto& graph = build.table.graph;
  for (std::size_t i = 0; i < op.mounts.size(); ++i) {
    const auto& mount = op.mounts[i];
    if (mount.input < 0 || mount.kind == graph::MountKind::cache) continue;
    const std::string part = "mount " + mount.target;
    if (const auto files = build.reads.shown(id, i)) {
      inputs.parts.push_back(part_of(part, files, "what is mounted at " + mount.target));
      continue;
    }
    const auto input = graph.nodes[id].inputs.at(static_cast<std::size_t>(mount.input));
    inputs.parts.push_back({.id = part,
                            .name = name_of_mounted(graph, mount.target, i == 0, input),
                            .whole = build.table.result(input).digest,
                            .content = content_of(build.table.traces[id], i),
                            .files = {}});
  }
}

void add_parts(StepInputs& inputs, const SeenBuild& build, graph::NodeId id, const graph::FileOp& op) {
  const auto& graph = build.table.graph;
  const auto& node = graph.nodes[id];
  for (std::size_t i = 0; i < op.actions.size(); ++i) {
    const auto& action = op.actions[i];
    if (action.kind != graph::FileActionKind::copy || action.secondary < 0) continue;
    const std::string part = fmt::format("copy {}", i);
    if (const auto files = build.reads.selected(id, i)) {
      inputs.parts.push_back(part_of(part, files, action.source));
      continue;
    }
    const auto input = node.inputs.at(static_cast<std::size_t>(action.secondary));
    inputs.parts.push_back({.id = part,
                            .name = name_of_copied(graph, action.source, input),
                            .whole = build.table.result(input).digest,
                            .content = content_of(build.table.traces[id], i),
                            .files = {}});
  }
  const auto base = op.actions.front().input;
  if (base < 0) return;
  const auto input = node.inputs.at(static_cast<std::size_t>(base));
  inputs.parts.push_back({.id = "destination",
                          .name = "what is at its destination in " + shown_name(graph, input),
                          .whole = build.table.result(input).digest,
                          .content = build.table.traces[id].probe,
                          .files = {}});
}

StepInputs inputs_of(const SeenBuild& build, graph::NodeId id) {
  const auto& node = build.table.graph.nodes[id];
  StepInputs inputs{.settings = settings_of(node), .parts = {}};
  if (const auto* exec = std::get_if<graph::ExecOp>(&node.op)) add_parts(inputs, build, id, *exec);
  if (const auto* file = std::get_if<graph::FileOp>(&node.op)) add_parts(inputs, build, id, *file);
  return inputs;
}

std::string number_free(const std::string& place) { return place.substr(0, place.rfind('\n')); }

std::size_t number_of(const std::string& place) { return std::stoul(place.substr(place.rfind('\n') + 1)); }

std::size_t distance(std::size_t a, std::size_t b) { return a > b ? a - b : b - a; }

StepExplanation reasons(const SeenBuild& build, graph::NodeId id, const cache::SeenStep* seen) {
  const auto& trace = build.table.traces[id];
  const auto& info = graph::info_for(build.table.graph, id, build.target);
  StepExplanation out{.name = info.name, .reasons = {}};
  if (info.ignore_cache) {
    out.reasons = {build.request.no_cache ? "--no-cache" : "--no-cache-filter names its stage"};
  } else if (trace.evicted || (seen != nullptr && seen->key == trace.key)) {
    out.reasons = {"its result is no longer in the store"};
  } else if (seen == nullptr) {
    out.reasons = {"never built before"};
  } else {
    out.reasons = differences(unpack_inputs(seen->inputs), inputs_of(build, id));
    if (out.reasons.empty()) out.reasons = {"its definition changed"};
  }
  return out;
}

Digest name_of(const SeenBuild& build) {
  std::error_code none;
  auto context = std::filesystem::canonical(build.request.context, none).string();
  if (none) context = build.request.context;
  return sha256(context + "\n" + build.dockerfile);
}

void remember(const SeenBuild& build, const Digest& name, const std::vector<StepPlace>& places,
              const std::vector<cache::SeenStep>& seen) {
  std::map<std::string, Digest> keys;
  for (const auto& step : seen) keys[step.place] = step.key;
  std::vector<cache::SeenStep> changed;
  for (const auto& place : places) {
    const auto& trace = build.table.traces[place.id];
    if (!trace.kept) continue;
    auto text = place.text();
    const auto known = keys.find(text);
    if (known != keys.end() && known->second == trace.key) continue;
    changed.push_back({std::move(text), trace.key, pack_inputs(inputs_of(build, place.id))});
  }
  build.store.remember_steps(name, changed);
}

}  // namespace

std::vector<std::optional<std::size_t>> pair_with_seen(const graph::Graph& graph, const std::vector<StepPlace>& places,
                                                       const std::vector<cache::SeenStep>& seen) {
  // By equal settings, the nearest first; then by place.
  std::vector<std::tuple<std::size_t, std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto settings = settings_of(graph.nodes[places[i].id]);
    for (std::size_t k = 0; k < seen.size(); ++k) {
      if (number_free(seen[k].place) != places[i].stage || unpack_inputs(seen[k].inputs).settings != settings) continue;
      pairs.emplace_back(distance(number_of(seen[k].place), places[i].number), i, k);
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::vector<std::optional<std::size_t>> partners(places.size());
  std::set<std::size_t> taken;
  for (const auto& [far, i, k] : pairs) {
    if (!partners[i] && taken.insert(k).second) partners[i] = k;
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t k = 0; k < seen.size() && !partners[i]; ++k) {
      if (seen[k].place == places[i].text() && taken.insert(k).second) partners[i] = k;
    }
  }
  return partners;
}

void remember_steps(const SeenBuild& build) {
  const Digest name = name_of(build);
  remember(build, name, places_of(build.table.graph, build.plan, build.target), build.store.seen_steps(name));
}

std::vector<StepExplanation> explain_steps(const SeenBuild& build) {
  const Digest name = name_of(build);
  const auto places = places_of(build.table.graph, build.plan, build.target);
  auto seen = build.store.seen_steps(name);
  for (auto& step : seen) step.inputs = build.store.seen_inputs(name, step.place);
  const auto partners = pair_with_seen(build.table.graph, places, seen);
  std::vector<StepExplanation> out;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!build.table.traces[places[i].id].executed) continue;
    out.push_back(reasons(build, places[i].id, partners[i] ? &seen[*partners[i]] : nullptr));
  }
  remember(build, name, places, seen);
  return out;
}

}  // namespace mbuild::executor
