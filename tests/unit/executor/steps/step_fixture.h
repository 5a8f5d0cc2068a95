#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "executor/steps/compiler_packs.h"
#include "executor/steps/layer_fetcher.h"
#include "executor/steps/lookup.h"
#include "executor/steps/run_tasks.h"
#include "executor/steps/step_keys.h"
#include "tests/temporary.h"

// The parts of a build with a graph of three nodes and a store, and nothing that runs.
namespace mbuild::executor::test {

// A worker that runs nothing: it gives the results that it was told, and tells what it was asked.
struct DeafWorker final : Worker {
  std::vector<cache::Layer> layers;  // that it has
  bool lender = false;
  std::vector<std::string> asked;  // "digest LAYERS SELECTOR" and so on
  ProbeResult probed;
  std::vector<RunTask> runs;
  std::vector<FilesTask> applied;
  RunResult ran;       // of each run
  FilesResult made;    // of each file step
  std::string output;  // of each run

  bool lends() const override { return lender; }
  LayerIds missing(const LayerIds& ids) override {
    LayerIds out;
    for (const auto& id : ids) {
      if (!find(id)) out.push_back(id);
    }
    return out;
  }
  std::optional<cache::Layer> find(const std::string& id) override {
    for (const auto& layer : layers) {
      if (layer.id == id) return layer;
    }
    return std::nullopt;
  }
  void put(const cache::Layer& layer, const TarSource& tar, std::stop_token) override {
    asked.push_back("put " + layer.id);
    tar([&](std::string_view bytes) { asked.back() += " " + std::string(bytes); });
  }
  void get(const std::string& id, const TarSink& tar, std::stop_token) override { tar("tar of " + id); }
  std::string prepare(const RunTask&) override { return ran.emulator; }
  bool needs_first_content(const TaskMount&) override { return false; }
  RunResult run(const RunTask& task, StepSink& sink, std::stop_token) override {
    runs.push_back(task);
    sink.log(1, output);
    return ran;
  }
  FilesResult apply(const FilesTask& task, std::stop_token) override {
    applied.push_back(task);
    return made;
  }
  ProbeResult probe(const FilesTask& task, std::stop_token) override {
    asked.push_back("probe " + text(task.base));
    return probed;
  }
  Digest digest(const LayerIds& snapshot, const std::string& selector, std::stop_token) override {
    asked.push_back("digest " + text(snapshot) + " " + selector);
    return "sha256:read";
  }

  static std::string text(const LayerIds& ids) {
    std::string out;
    for (const auto& id : ids) out += (out.empty() ? "" : ",") + id;
    return out;
  }
};

inline constexpr graph::NodeId k_base = 0, k_run = 1, k_copy = 2;

// An image; a RUN on it that sees it a second time, below /etc, at /src; and a copy from the RUN's result to the image.
// `change` may give the RUN more.
using ChangeRun = std::function<void(graph::ExecOp&)>;
inline graph::Graph three_steps(bool ignore_cache, const ChangeRun& change) {
  graph::Graph graph;
  graph.add({.op = graph::SourceOp(graph::ImageSource{"base@sha256:1", {"sha256:a"}}), .inputs = {}, .platform = {}},
            {});
  graph::ExecOp run;
  run.argv = {"/bin/sh", "-c", "make"};
  run.mounts = {{.target = "/", .input = 0, .output = 0}, {.target = "/src", .input = 1, .selector = "/etc"}};
  if (change) change(run);
  graph.add({.op = run, .inputs = {{k_base, 0}, {k_base, 0}}, .platform = platforms::Platform{"linux", "arm64"}},
            {.name = "[2/3] RUN make", .instruction = "RUN make", .ignore_cache = ignore_cache});
  graph::FileAction copy;
  copy.input = 0;
  copy.secondary = 1;
  copy.output = 0;
  copy.source = copy.destination = "/a";
  graph.add({.op = graph::FileOp{{copy}}, .inputs = {{k_base, 0}, {k_run, 0}}, .platform = {}},
            {.ignore_cache = ignore_cache});
  return graph;
}

struct StepFixture {
  explicit StepFixture(bool ignore_cache = false, const ChangeRun& change = {})
      : graph(three_steps(ignore_cache, change)) {
    add_layer("base", "sha256:base");
    table.results[k_base] = {make_snapshot({layer("base")})};
    table.traces[k_run].inputs = "sha256:inputs";
  }

  testing::TemporaryDirectory place;
  const graph::Graph graph;
  const planner::Plan plan = planner::make_plan(graph, std::vector<graph::Ref>{{k_run, 0}, {k_copy, 0}});
  StepTable table{graph};
  cache::Store store{place / "store", "map"};
  LazyInner inner{IdMap()};
  WorkDirectories work{place / "work"};
  LayerDirectories layers{store, inner, work, [](const std::string&) {}};
  std::vector<std::string> warnings;
  ImageSources images{store, {}, {}};
  ImportedCaches imports{{}, images, {}, [this](std::string text) { warnings.push_back(std::move(text)); }, {}};
  const std::vector<platforms::Platform> platforms;
  LayerFetcher fetcher{{.platforms = platforms,
                        .plan = plan,
                        .table = table,
                        .store = store,
                        .images = images,
                        .imports = imports,
                        .inner = inner,
                        .work = work,
                        .layers = layers}};
  DeafWorker local;
  OtherWorker other;
  Workers workers{graph, local, other, fetcher, layers};
  SessionRequest session;
  TargetRequest request;
  Contexts contexts{store, {}};
  const StepTargets targets{graph, {{0, {request, contexts, {}}}}};
  const StepReads reads{table, targets};
  LentFiles lent;
  StepLookup lookup{
      {.plan = plan, .table = table, .store = store, .imports = imports, .layers = layers, .workers = workers}};
  StepKeys keys{table, reads, lent, workers};
  Siblings siblings{graph, images};
  RunTasks tasks{{.session = session,
                  .targets = targets,
                  .table = table,
                  .reads = reads,
                  .store = store,
                  .layers = layers,
                  .lent = lent,
                  .workers = workers,
                  .siblings = siblings}};
  CompilerPacks packs{{.session = session,
                       .graph = graph,
                       .store = store,
                       .layers = layers,
                       .workers = workers,
                       .siblings = siblings,
                       .images = images,
                       .warn = [](const std::string&) {}}};

  // A layer of the store.
  void add_layer(const std::string& id, const Digest& result) {
    make_directories(store.layer_path(id));
    store.add_layer({.id = id, .result_digest = result});
  }
  // A layer as a result, be it in the store or not.
  static std::shared_ptr<const SnapshotLayer> layer(const std::string& id) {
    return std::make_shared<const SnapshotLayer>(SnapshotLayer{.id = id, .result_digest = "sha256:" + id});
  }
  // A record that a step with this key made this layer.
  void add_record(const Digest& key, const std::string& id) {
    store.add_record({.content_key = key, .layers = {id}, .created = 7});
  }
  // Gives the build another worker.
  DeafWorker& add_worker() {
    auto worker = std::make_unique<DeafWorker>();
    auto& made = *worker;
    other.worker = std::move(worker);
    return made;
  }
};

}  // namespace mbuild::executor::test
