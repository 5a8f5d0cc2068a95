#include "executor/steps/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clean_text.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/feature.h"
#include "base/strings.h"
#include "executor/api/vertex.h"
#include "worker/process_worker.h"

namespace mbuild::executor {

namespace {

// Tests have steps run by another process, where they can.
std::unique_ptr<Worker> other_worker(const SessionRequest& session) {
  if (!feature_disabled("local-worker")) return nullptr;
  return std::make_unique<ProcessWorker>(session.store_root + ".worker");
}

}  // namespace

StepParts::StepParts(const StepEnvironment& environment)
    : table(environment.graph),
      siblings(environment.graph, environment.images),
      reads(table, environment.targets),
      work([&directory = environment.directory] { return directory.path(); }),
      layers(environment.store, environment.inner, work, environment.remove_later),
      fetcher({.platforms = environment.platforms,
               .plan = environment.plan,
               .table = table,
               .store = environment.store,
               .images = environment.images,
               .imports = environment.imports,
               .inner = environment.inner,
               .work = work,
               .layers = layers}),
      worker({.inner = environment.inner,
              .network = environment.network,
              .store = environment.store,
              .work = work,
              .layers = layers,
              .user_files = [this](const std::string& id) { return lent.find(id); },
              .agent_socket = [&](const std::string& id) { return environment.targets.agent_socket(id); }}),
      other{other_worker(environment.session), false},
      workers(environment.graph, worker, other, fetcher, layers),
      sources({.store = environment.store, .work = work, .layers = layers, .lent = lent, .worker = worker}),
      lookup({.plan = environment.plan,
              .table = table,
              .store = environment.store,
              .imports = environment.imports,
              .layers = layers,
              .workers = workers,
              .native_use = most_native(environment.session.acceleration)}),
      keys(table, reads, lent, workers),
      tasks({.session = environment.session,
             .targets = environment.targets,
             .table = table,
             .reads = reads,
             .store = environment.store,
             .layers = layers,
             .lent = lent,
             .workers = workers,
             .siblings = siblings}),
      packs({.session = environment.session,
             .graph = environment.graph,
             .store = environment.store,
             .layers = layers,
             .workers = workers,
             .siblings = siblings,
             .images = environment.images,
             .warn = environment.warn_of_packs}),
      maker({.session = environment.session,
             .plan = environment.plan,
             .table = table,
             .reads = reads,
             .store = environment.store,
             .layers = layers,
             .keys = keys,
             .tasks = tasks,
             .packs = packs,
             .workers = workers,
             .work = work,
             .sink = environment.sink,
             .warn_of_isolation = environment.warn_of_isolation,
             .remove_later = environment.remove_later}) {}

namespace {

bool is_emulated(const graph::Node& node) {
  return std::holds_alternative<graph::ExecOp>(node.op) && node.platform && is_foreign(*node.platform);
}

// Of a merge, which nobody is told of, what it merges.
void add_inputs(const graph::Graph& graph, const graph::Node& node, std::vector<VertexId>& out) {
  for (const auto& input : node.inputs) {
    const auto& from = graph.nodes[input.node];
    if (std::holds_alternative<graph::MergeOp>(from.op)) {
      add_inputs(graph, from, out);
    } else if (std::ranges::find(out, input.node) == out.end()) {
      out.push_back(input.node);
    }
  }
}

}  // namespace

StepClass Steps::class_of(graph::NodeId id) const {
  const auto& node = environment_.graph.nodes[id];
  const bool emulated = is_emulated(node);
  if (parts_.workers.is_local(id)) return emulated ? StepClass::emulated : StepClass::native;
  return emulated ? StepClass::remote_emulated : StepClass::remote_native;
}

VertexEvent Steps::event_of(graph::NodeId id) const {
  const auto& info = environment_.graph.info[id];
  const auto& node = environment_.graph.nodes[id];
  VertexEvent event{.id = id, .name = info.front().name, .step = true, .line = info.front().first_line};
  if (std::holds_alternative<graph::ExecOp>(node.op) && node.platform) {
    event.platform = platforms::to_string(*node.platform);
    event.emulated = is_emulated(node);
  }
  add_inputs(environment_.graph, node, event.inputs);
  std::set<std::string> seen = {event.name};
  for (const auto& need : info) {
    if (seen.insert(need.name).second) event.needs.push_back(need.name);
  }
  return event;
}

void Steps::run(graph::NodeId id, std::stop_token stop) {
  const auto& op = environment_.graph.nodes[id].op;
  if (const auto* source = std::get_if<graph::SourceOp>(&op)) {
    run_source(id, *source, stop);
  } else if (std::holds_alternative<graph::MergeOp>(op)) {
    run_merge(id);
  } else if (std::holds_alternative<graph::DiffOp>(op)) {
    throw Error(ExitClass::internal, "a diff step came from somewhere, but no Dockerfile makes one");
  } else {
    run_cached(id, stop);
  }
  const auto& results = parts_.table.results[id];
  if (!results.empty()) parts_.siblings.publish(id, results.front());
}

namespace {

// "[linux/arm64 2/3] RUN make": which step, and of which platform where that can be another than the host's.
std::string shown_step(const graph::NodeInfo& info, const graph::Node& node) {
  constexpr std::size_t k_longest = 160;
  const std::string name = clean_line(clip_text(info.name, k_longest));
  if (!node.platform || *node.platform == platforms::host_platform()) return name;
  const std::string platform = platforms::to_string(*node.platform);
  return name.find(platform) != std::string::npos ? name : fmt::format("{} for {}", name, platform);
}

}  // namespace

void Steps::run_source(graph::NodeId id, const graph::SourceOp& source, const std::stop_token& stop) {
  Vertex vertex(environment_.sink, event_of(id));
  try {
    if (const auto* image = std::get_if<graph::ImageSource>(&source)) {
      LayerList layers;
      for (const auto& diff_id : image->layers) {
        layers.push_back(std::make_shared<SnapshotLayer>(
            SnapshotLayer{.id = std::string(digest_hex(diff_id)), .result_digest = diff_id, .pulled = true}));
      }
      parts_.table.results[id] = {make_snapshot(std::move(layers))};
    } else if (!std::holds_alternative<graph::LocalSource>(source)) {
      const auto layer = parts_.sources.fetch(environment_.targets.of(id).request, source, stop);
      parts_.table.results[id] = {make_snapshot({std::make_shared<SnapshotLayer>(
          SnapshotLayer{.id = layer.id, .result_digest = layer.result_digest, .created = layer.newest_mtime})})};
    }
  } catch (Error& error) {
    vertex.fail(error.what());
    if (error.excerpt.empty()) error.excerpt = environment_.targets.of(id).excerpt(id);
    error.with_context(shown_step(environment_.graph.info[id].front(), environment_.graph.nodes[id]));
    throw;
  }
  vertex.complete();
}

void Steps::run_merge(graph::NodeId id) {
  LayerList layers;
  for (const auto& input : environment_.graph.nodes[id].inputs) {
    const auto& part = result(input).layers;
    layers.insert(layers.end(), part.begin(), part.end());
  }
  parts_.table.results[id] = {make_snapshot(std::move(layers))};
}

void Steps::run_cached(graph::NodeId id, const std::stop_token& stop) {
  auto& trace = parts_.table.traces[id];
  try {
    trace.inputs = parts_.reads.inputs(id);
    if (parts_.lookup.find_by_inputs(id)) return report_cached(id);
    const Digest partial = parts_.reads.partial_key(id);
    find_or_make(id, partial, stop);
    environment_.store.add_definition(environment_.plan.definition_keys[id], trace.inputs, trace.key);
    crash_point("definition-row");
  } catch (Error& error) {
    error.excerpt += environment_.targets.of(id).excerpt(id);  // after the log
    error.with_context(shown_step(environment_.graph.info[id].front(), environment_.graph.nodes[id]));
    throw;
  }
}

void Steps::find_or_make(graph::NodeId id, const Digest& partial, const std::stop_token& stop) {
  if (parts_.lookup.seems_unknown(id, partial)) {
    // Before the lock, which steps on other bases share.
    for (const auto& input : environment_.graph.nodes[id].inputs) {
      if (local_source(environment_.graph, input) == nullptr) parts_.workers.bring(result(input), id, stop);
    }
    if (const auto alone = parts_.lookup.lock_unknown(id, partial, stop)) {
      make(id, stop);
      return add_partial_key(id, partial);  // within the lock: who waits for it asks whether the key is known
    }
  }
  const Digest key = parts_.table.traces[id].key = parts_.keys.content_key(id, stop);
  const auto lock = environment_.store.lock_step(key, stop);
  if (parts_.lookup.find_by_content(id, key)) {
    report_cached(id);
  } else {
    make(id, stop);
  }
  add_partial_key(id, partial);
}

void Steps::add_partial_key(graph::NodeId id, const Digest& partial) {
  if (partial.empty()) return;
  const bool as_planned = parts_.table.traces[id].copied.empty();
  environment_.store.add_partial_key(as_planned ? partial : parts_.reads.partial_key(id));
}

void Steps::report_cached(graph::NodeId id) {
  auto& trace = parts_.table.traces[id];
  if (trace.executed || std::exchange(trace.reported, true)) return;
  VertexEvent event = event_of(id);
  event.state = VertexState::cached;
  event.time = std::chrono::steady_clock::now();
  environment_.sink.vertex(event);
}

void Steps::make(graph::NodeId id, const std::stop_token& stop) {
  auto& trace = parts_.table.traces[id];
  Vertex vertex(environment_.sink, event_of(id));
  trace.executed = true;
  try {
    parts_.maker.make(id, stop);
  } catch (const Error& error) {
    vertex.fail(error.what());
    throw;
  }
  parts_.lookup.ran(trace.key);
  ++trace.runs;
  trace.reported = false;  // it was, before a promise was broken
  trace.kept = true;
  vertex.note_programs(trace.emulation.programs, trace.emulation.native);
  vertex.complete();
}

Stack Steps::unpacked(const Snapshot& snapshot, const std::stop_token& stop) {
  return parts_.layers.stack(parts_.fetcher.fetch(snapshot, stop), stop);
}

StepCounts Steps::count(const planner::Plan& plan, std::set<graph::NodeId>& counted) const {
  StepCounts out;
  for (const auto id : plan.order) {
    if (!counted.insert(id).second) continue;
    const auto& trace = parts_.table.traces[id];
    out.run += trace.runs;
    if (trace.reported) ++out.cached;
    out.emulation.steps += trace.emulation.steps;
    out.emulation.programs += trace.emulation.programs;
    out.emulation.native += trace.emulation.native;
    out.emulation.milliseconds += trace.emulation.milliseconds;
  }
  return out;
}

void Steps::start_over() {
  if (parts_.other.broken) parts_.other.worker.reset();
  for (auto& results : parts_.table.results) results.clear();
  for (auto& trace : parts_.table.traces) trace.kept = false;
}

}  // namespace mbuild::executor
