#include "executor/steps/steps.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/strings.h"
#include "executor/api/vertex.h"
#include "graph/content_parameters.h"

namespace mbuild::executor {

Steps::Steps(StepEnvironment environment)
    : environment_(std::move(environment)),
      table_(environment_.graph),
      reads_(table_, environment_.contexts),
      fresh_caches_([this](const std::string& name, const std::string& fresh) {
        auto& store = environment_.store;
        jobs::replace(environment_.inner.get(), {fresh, store.cache_mount_path(name), store.retire_cache_mount(name)},
                      {});
      }) {}

bool Steps::is_emulated(graph::NodeId id) const {
  const auto& node = environment_.graph.nodes[id];
  return std::holds_alternative<graph::ExecOp>(node.op) && node.platform && is_foreign(*node.platform);
}

VertexEvent Steps::event_of(graph::NodeId id) const {
  const auto& info = environment_.graph.info[id];
  VertexEvent event{.id = id, .name = info.front().name};
  std::set<std::string> seen = {event.name};
  for (const auto& need : info) {
    if (seen.insert(need.name).second) event.needs.push_back(need.name);
  }
  return event;
}

void Steps::run(graph::NodeId id, std::stop_token stop) {
  const auto& op = environment_.graph.nodes[id].op;
  if (const auto* source = std::get_if<graph::SourceOp>(&op)) {
    run_source(id, *source, std::move(stop));
  } else if (std::holds_alternative<graph::MergeOp>(op)) {
    run_merge(id);
  } else if (std::holds_alternative<graph::DiffOp>(op)) {
    throw Error(ExitClass::internal, "a diff step came from somewhere, but no Dockerfile makes one");
  } else {
    run_cached(id, std::move(stop));
  }
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

void Steps::run_source(graph::NodeId id, const graph::SourceOp& source, std::stop_token stop) {
  Vertex vertex(environment_.sink, event_of(id));
  try {
    if (graph::is_image_source(environment_.graph.nodes[id])) {
      LayerList layers;
      for (const auto& diff_id : split(source.attributes.at("layers"), ',')) {
        layers.push_back(std::make_shared<SnapshotLayer>(
            SnapshotLayer{.id = std::string(digest_hex(diff_id)), .result_digest = diff_id, .pulled = true}));
      }
      table_.results[id] = {make_snapshot(std::move(layers))};
    } else if (!source.identifier.starts_with("local://")) {
      const auto layer =
          source.identifier.starts_with("git://") ? fetch_git(source, stop) : fetch_file(id, source, stop);
      table_.results[id] = {make_snapshot({std::make_shared<SnapshotLayer>(
          SnapshotLayer{.id = layer.id, .result_digest = layer.result_digest, .created = layer.newest_mtime})})};
    }
  } catch (Error& error) {
    vertex.fail(error.what());
    if (error.excerpt.empty()) error.excerpt = environment_.excerpt(id);
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
  table_.results[id] = {make_snapshot(std::move(layers))};
}

void Steps::run_cached(graph::NodeId id, std::stop_token stop) {
  auto& store = environment_.store;
  const bool ignore_cache = environment_.graph.info[id].front().ignore_cache;
  try {
    const Digest inputs = reads_.inputs(id);
    const Digest& definition = environment_.plan.definition_keys[id];
    table_.traces[id].inputs = inputs;
    if (!ignore_cache) {
      if (const auto key = store.find_definition(definition, inputs); key && use_record(id, *key)) return;
      if (const auto key = environment_.imports.find_definition(definition, inputs); key && use_import(id, *key))
        return;
    }
    const Digest partial = reads_.partial_key(id);
    const auto alone = lock_unknown(id, partial, stop);
    if (alone) {
      execute(id, stop);
    } else {
      const Digest key = table_.traces[id].key = content_key(id, stop);
      const auto lock = store.lock_step(key, stop);
      bool may_use = !ignore_cache;
      {
        const std::lock_guard guard(mutex_);
        may_use = may_use || executed_.contains(key);
      }
      if (!may_use || !(use_record(id, key) || use_import(id, key))) execute(id, stop);
    }
    if (!partial.empty()) store.add_partial_key(table_.traces[id].copied.empty() ? partial : reads_.partial_key(id));
    store.add_definition(definition, table_.traces[id].inputs, table_.traces[id].key);
    crash_point("definition-row");
  } catch (Error& error) {
    error.excerpt += environment_.excerpt(id);  // after the log
    error.with_context(shown_step(environment_.graph.info[id].front(), environment_.graph.nodes[id]));
    throw;
  }
}

namespace {

std::shared_ptr<const SnapshotLayer> as_result(const cache::Layer& layer, Digest cause, graph::NodeId id,
                                               std::int64_t created) {
  return std::make_shared<SnapshotLayer>(SnapshotLayer{.id = layer.id,
                                                       .result_digest = layer.result_digest,
                                                       .cause = std::move(cause),
                                                       .pulled = false,
                                                       .created = created,
                                                       .made_by = id,
                                                       .imported = {}});
}

}  // namespace

bool Steps::use_record(graph::NodeId id, const Digest& key) {
  const auto record = environment_.store.find_record(key);
  if (!record || record->layers.empty()) return false;
  const auto* layer = find_layer(record->layers.front());
  table_.traces[id].evicted = layer == nullptr;
  if (layer == nullptr) return false;
  table_.traces[id].key = key;
  table_.traces[id].kept = true;
  table_.set_result(id, as_result(*layer, cause_of(environment_.graph.nodes[id]), id, record->created));
  report_cached(id);
  return true;
}

void Steps::report_cached(graph::NodeId id) {
  if (table_.traces[id].executed || std::exchange(table_.traces[id].reported, true)) return;
  ++steps_cached_;
  VertexEvent event = event_of(id);
  event.state = VertexState::cached;
  event.time = std::chrono::steady_clock::now();
  environment_.sink.vertex(event);
}

void Steps::execute(graph::NodeId id, std::stop_token stop) {
  Vertex vertex(environment_.sink, event_of(id));
  table_.traces[id].executed = true;
  const auto started = std::chrono::steady_clock::now();
  const auto& node = environment_.graph.nodes[id];
  const std::string layer_id = random_hex(16);
  std::string emulator;
  jobs::NewLayer made;
  const auto* exec = std::get_if<graph::ExecOp>(&node.op);
  try {
    made = exec != nullptr ? execute_run_surely(id, *exec, layer_id, emulator, stop)
                           : execute_files(id, std::get<graph::FileOp>(node.op), layer_id, stop);
  } catch (const Error& error) {
    vertex.fail(error.what());
    throw;
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started).count();
  const Digest& key = table_.traces[id].key;
  const cache::Layer& layer = keep(layer_id, made);
  // The layer of a file step is as old as the newest file in it, so that equal contexts make equal images.
  const std::int64_t created = exec != nullptr ? unix_seconds() : layer.newest_mtime;
  environment_.store.add_record({.content_key = key,
                                 .layers = {layer.id},
                                 .created = created,
                                 .duration_ms = took,
                                 .emulator = emulator,
                                 .name = environment_.graph.info[id].front().instruction});
  crash_point("record-row");
  if (exec != nullptr) environment_.store.remember_duration(planner::duration_key(node), took);
  {
    const std::lock_guard guard(mutex_);
    executed_.insert(key);
  }
  ++steps_run_;
  if (std::exchange(table_.traces[id].reported, false)) --steps_cached_;  // it was, before a promise was broken
  table_.traces[id].kept = true;
  table_.set_result(id, as_result(layer, cause_of(environment_.graph.nodes[id]), id, created));
  vertex.complete();
}

// Where an equal layer is in the store, that one is kept: all that was built on it stays valid.
const cache::Layer& Steps::keep(const std::string& layer_id, const jobs::NewLayer& made) {
  if (auto older = environment_.store.find_layer_by_result(made.result_digest)) {
    environment_.remove_later(environment_.store.layer_path(layer_id));
    return remember(std::move(*older));
  }
  return add_layer({.id = layer_id,
                    .result_digest = made.result_digest,
                    .pulled = false,
                    .bytes = made.bytes,
                    .files = made.files,
                    .newest_mtime = made.newest_mtime,
                    .implied = made.implied});
}

std::string Steps::work_directory() {
  std::string path = fmt::format("{}/{}", environment_.directory.path(), next_work_++);
  make_directories(path, 0711);
  return path;
}

}  // namespace mbuild::executor
