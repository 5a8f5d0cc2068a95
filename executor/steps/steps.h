#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/store.h"
#include "executor/api/build_request.h"
#include "executor/api/events.h"
#include "executor/sources/base_images.h"
#include "executor/sources/cache_import.h"
#include "executor/steps/exported_steps.h"
#include "executor/steps/lookup.h"
#include "executor/steps/scheduler.h"
#include "executor/steps/siblings.h"
#include "executor/steps/source_fetcher.h"
#include "executor/steps/step_maker.h"
#include "executor/steps/step_targets.h"
#include "graph/graph.h"
#include "planner/plan.h"
#include "worker/local_worker.h"

// One step after another: look it up, else have it made, and keep what it gave.
//
// A step has two keys (keys.cc). By its definition key and the digests of its whole inputs it is found without reading
// any file of a snapshot. By its content key (what it really reads: the selected files, the probed destination) it is
// found although an input changed. A record belongs to a content key; a row of definitions leads there from the other.
namespace mbuild::executor {

struct StepEnvironment {
  const graph::Graph& graph;
  const planner::Plan& plan;
  const SessionRequest& session;
  StepTargets targets;
  std::vector<platforms::Platform> platforms;  // of all targets
  cache::Store& store;
  const cache::BuildDirectory& directory;
  ImageSources& images;
  ImportedCaches& imports;
  LazyInner& inner;
  BuildNetwork& network;
  ProgressSink& sink;
  // Tells the user what steps had to do without; called from many threads.
  std::function<void(std::string text)> warn_of_isolation;
  std::function<void(std::string text)> warn_of_packs;  // likewise
  // Removes a directory in the store when the build is over; called from many threads.
  std::function<void(std::string)> remove_later;
};

// What makes and finds steps, put together for one build; each part is documented where it is declared.
struct StepParts {
  explicit StepParts(const StepEnvironment& environment);

  StepTable table;
  Siblings siblings;
  StepReads reads;
  WorkDirectories work;
  LayerDirectories layers;
  LayerFetcher fetcher;
  LentFiles lent;
  LocalWorker worker;
  OtherWorker other;
  Workers workers;
  SourceFetcher sources;
  StepLookup lookup;
  StepKeys keys;
  RunTasks tasks;
  CompilerPacks packs;
  StepMaker maker;
};

struct StepCounts {
  std::size_t run = 0, cached = 0;
  EmulationUse emulation;  // of those that were run
};

class Steps {
 public:
  explicit Steps(StepEnvironment environment) : environment_(std::move(environment)), parts_(environment_) {}

  // Runs one node; all its inputs have been run. Called from many threads.
  void run(graph::NodeId id, std::stop_token stop);
  StepClass class_of(graph::NodeId id) const;

  const Snapshot& result(graph::Ref ref) const { return parts_.table.result(ref); }
  // What became of the steps, what they read of the user's files, and their layers as files.
  StepParts& parts() { return parts_; }
  // The snapshot's layers as directories, pulled and promised ones fetched. Throws PromiseBroken.
  Stack unpacked(const Snapshot& snapshot, const std::stop_token& stop);

  // Of the nodes that a plan has.
  std::vector<ExportedStep> exported(const planner::Plan& plan) {
    return exported_steps(plan, parts_.table, environment_.store);
  }
  // Looks all up again, after a promise was broken (cache_import.h). What was executed stays in the store.
  void start_over();

  // Of a plan's steps that are not in `counted`, where they are added.
  StepCounts count(const planner::Plan& plan, std::set<graph::NodeId>& counted) const;

 private:
  void run_source(graph::NodeId id, const graph::SourceOp& source, const std::stop_token& stop);
  void run_merge(graph::NodeId id);
  void run_cached(graph::NodeId id, const std::stop_token& stop);
  void find_or_make(graph::NodeId id, const Digest& partial, const std::stop_token& stop);
  void make(graph::NodeId id, const std::stop_token& stop);
  void add_partial_key(graph::NodeId id, const Digest& partial);
  void report_cached(graph::NodeId id);
  VertexEvent event_of(graph::NodeId id) const;

  StepEnvironment environment_;
  StepParts parts_;
};

}  // namespace mbuild::executor
