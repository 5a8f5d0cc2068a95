#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "base/strings.h"
#include "executor/steps/steps.h"

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

struct Steps::Place {
  graph::NodeId id = 0;
  std::string stage;  // and platform
  std::size_t number = 0;

  std::string text() const { return fmt::format("{}\n{}", stage, number); }
};

std::vector<Steps::Place> Steps::places() const {
  std::vector<Place> out;
  std::map<std::string, std::size_t> counts;
  for (const auto id : environment_.plan.order) {
    const auto& node = environment_.graph.nodes[id];
    if (!std::holds_alternative<graph::ExecOp>(node.op) && !std::holds_alternative<graph::FileOp>(node.op)) continue;
    std::string stage = environment_.graph.info[id].front().stage;
    if (node.platform) stage += " " + platforms::to_string(*node.platform);
    const auto number = counts[stage]++;
    out.push_back({.id = id, .stage = std::move(stage), .number = number});
  }
  return out;
}

std::string Steps::shown_name(graph::Ref ref) const {
  const auto& node = environment_.graph.nodes[ref.node];
  const auto& info = environment_.graph.info[ref.node].front();
  if (graph::is_image_source(node)) {
    const auto& identifier = std::get<graph::SourceOp>(node.op).identifier;
    return "base image " + identifier.substr(8, identifier.rfind('@') - 8);
  }
  if (const auto* source = std::get_if<graph::SourceOp>(&node.op)) return source->identifier;
  return "the result of " + info.name;
}

void Steps::add_parts(StepInputs& inputs, graph::NodeId id, const graph::ExecOp& op) {
  const auto& node = environment_.graph.nodes[id];
  for (std::size_t i = 0; i < op.mounts.size(); ++i) {
    const auto& mount = op.mounts[i];
    if (mount.input < 0 || mount.kind == graph::MountKind::cache) continue;
    const auto input = node.inputs.at(static_cast<std::size_t>(mount.input));
    InputPart part{.id = "mount " + mount.target, .name = {}, .whole = {}, .content = {}, .files = {}};
    if (const auto found = traces_[id].content.find(i); found != traces_[id].content.end())
      part.content = found->second;
    if (const auto* local = local_source(input)) {
      const auto files = shown(id, *local, mount, i);
      part.name = "what is mounted at " + mount.target;
      part.whole = part.content = files->digest;
      part.files = file_states(files->selection);
    } else {
      part.name = i > 0 ? fmt::format("what is mounted at {} from {}", mount.target, shown_name(input))
                  : graph::is_image_source(environment_.graph.nodes[input.node])
                      ? shown_name(input)
                      : "the state after " + environment_.graph.info[input.node].front().name;
      part.whole = result(input).digest;
    }
    inputs.parts.push_back(std::move(part));
  }
}

void Steps::add_parts(StepInputs& inputs, graph::NodeId id, const graph::FileOp& op) {
  const auto& node = environment_.graph.nodes[id];
  const auto& trace = traces_[id];
  for (std::size_t i = 0; i < op.actions.size(); ++i) {
    const auto& action = op.actions[i];
    if (action.kind != graph::FileActionKind::copy || action.secondary < 0) continue;
    const auto input = node.inputs.at(static_cast<std::size_t>(action.secondary));
    InputPart part{.id = fmt::format("copy {}", i), .name = {}, .whole = {}, .content = {}, .files = {}};
    if (const auto found = trace.content.find(i); found != trace.content.end()) part.content = found->second;
    if (const auto* local = local_source(input)) {
      const auto files = selected(id, *local, action, i);
      part.name = action.source;
      part.whole = part.content = files->digest;
      part.files = file_states(files->selection);
    } else {
      const auto* source = std::get_if<graph::SourceOp>(&environment_.graph.nodes[input.node].op);
      const bool fetched = source != nullptr && !graph::is_image_source(environment_.graph.nodes[input.node]);
      part.name = fetched ? source->identifier : fmt::format("{} of {}", action.source, shown_name(input));
      part.whole = result(input).digest;
    }
    inputs.parts.push_back(std::move(part));
  }
  const auto base = op.actions.front().input;
  if (base < 0) return;
  const auto input = node.inputs.at(static_cast<std::size_t>(base));
  inputs.parts.push_back({.id = "destination",
                          .name = "what is at its destination in " + shown_name(input),
                          .whole = result(input).digest,
                          .content = trace.probe,
                          .files = {}});
}

StepInputs Steps::inputs_of(graph::NodeId id) {
  const auto& node = environment_.graph.nodes[id];
  StepInputs inputs{.settings = settings_of(node), .parts = {}};
  if (const auto* exec = std::get_if<graph::ExecOp>(&node.op)) add_parts(inputs, id, *exec);
  if (const auto* file = std::get_if<graph::FileOp>(&node.op)) add_parts(inputs, id, *file);
  return inputs;
}

namespace {

std::string number_free(const std::string& place) { return place.substr(0, place.rfind('\n')); }

std::size_t number_of(const std::string& place) { return std::stoul(place.substr(place.rfind('\n') + 1)); }

std::size_t distance(std::size_t a, std::size_t b) { return a > b ? a - b : b - a; }

}  // namespace

StepExplanation Steps::reasons(const Place& place, const cache::SeenStep* seen) {
  const auto& trace = traces_[place.id];
  StepExplanation out{.name = environment_.graph.info[place.id].front().name, .reasons = {}};
  if (environment_.graph.info[place.id].front().ignore_cache) {
    out.reasons = {environment_.request.no_cache ? "--no-cache" : "--no-cache-filter names its stage"};
  } else if (trace.evicted || (seen != nullptr && seen->key == trace.key)) {
    out.reasons = {"its result is no longer in the store"};
  } else if (seen == nullptr) {
    out.reasons = {"never built before"};
  } else {
    out.reasons = differences(unpack_inputs(seen->inputs), inputs_of(place.id));
    if (out.reasons.empty()) out.reasons = {"its definition changed"};
  }
  return out;
}

Digest Steps::seen_build(const std::string& dockerfile) const {
  std::error_code none;
  auto context = std::filesystem::canonical(environment_.request.context, none).string();
  if (none) context = environment_.request.context;
  return sha256(context + "\n" + dockerfile);
}

void Steps::remember(const std::string& dockerfile) {
  const Digest build = seen_build(dockerfile);
  remember(build, places(), environment_.store.seen_steps(build));
}

void Steps::remember(const Digest& build, const std::vector<Place>& places, const std::vector<cache::SeenStep>& seen) {
  std::map<std::string, Digest> keys;
  for (const auto& step : seen) keys[step.place] = step.key;
  std::vector<cache::SeenStep> changed;
  for (const auto& place : places) {
    const auto& trace = traces_[place.id];
    if (!trace.kept) continue;
    auto text = place.text();
    const auto known = keys.find(text);
    if (known != keys.end() && known->second == trace.key) continue;
    changed.push_back({std::move(text), trace.key, pack_inputs(inputs_of(place.id))});
  }
  environment_.store.remember_steps(build, changed);
}

std::vector<StepExplanation> Steps::explain(const std::string& dockerfile) {
  const Digest build = seen_build(dockerfile);
  const auto here = places();
  auto seen = environment_.store.seen_steps(build);
  for (auto& step : seen) step.inputs = environment_.store.seen_inputs(build, step.place);

  // By equal settings, the nearest first; then by place.
  std::vector<std::tuple<std::size_t, std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < here.size(); ++i) {
    const auto settings = settings_of(environment_.graph.nodes[here[i].id]);
    for (std::size_t k = 0; k < seen.size(); ++k) {
      if (number_free(seen[k].place) != here[i].stage || unpack_inputs(seen[k].inputs).settings != settings) continue;
      pairs.emplace_back(distance(number_of(seen[k].place), here[i].number), i, k);
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::map<std::size_t, std::size_t> partner;
  std::set<std::size_t> taken;
  for (const auto& [far, i, k] : pairs) {
    if (!partner.contains(i) && taken.insert(k).second) partner[i] = k;
  }
  for (std::size_t i = 0; i < here.size(); ++i) {
    for (std::size_t k = 0; k < seen.size() && !partner.contains(i); ++k) {
      if (seen[k].place == here[i].text() && taken.insert(k).second) partner[i] = k;
    }
  }

  std::vector<StepExplanation> out;
  for (std::size_t i = 0; i < here.size(); ++i) {
    if (!traces_[here[i].id].executed) continue;
    const auto found = partner.find(i);
    out.push_back(reasons(here[i], found == partner.end() ? nullptr : &seen[found->second]));
  }
  remember(build, here, seen);
  return out;
}

}  // namespace mbuild::executor
