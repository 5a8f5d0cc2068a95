#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "executor/api/events.h"
#include "executor/steps/compiler_packs.h"
#include "executor/steps/layer_listing.h"
#include "executor/steps/run_tasks.h"
#include "executor/steps/step_keys.h"
#include "planner/plan.h"

namespace mbuild::executor {

struct StepMakerParts {
  const SessionRequest& session;
  const planner::Plan& plan;
  StepTable& table;
  const StepReads& reads;
  cache::Store& store;
  LayerDirectories& layers;
  StepKeys& keys;
  RunTasks& tasks;
  CompilerPacks& packs;
  Workers& workers;
  WorkDirectories& work;
  ProgressSink& sink;
  std::function<void(std::string text)> warn_of_isolation;
  std::function<void(std::string)> remove_later;
};

// Has steps made that were found nowhere. Thread-safe, for one step by one thread.
class StepMaker {
 public:
  explicit StepMaker(StepMakerParts parts) : parts_(std::move(parts)) {}

  // Makes the layer of a step, and a record of it. The step's result is in the table then; its key, too, which was
  // empty where making it had to tell.
  void make(graph::NodeId id, const std::stop_token& stop);
  // Of the RUNs that failed, the ids by which they are kept, the first to fail first.
  std::vector<std::pair<graph::NodeId, std::string>> failed() const;

 private:
  cache::Layer apply(graph::NodeId id, const std::string& layer_id, const std::stop_token& stop);
  cache::Layer run(graph::NodeId id, const std::string& layer_id, std::string& emulator, const std::stop_token& stop);
  RunResult run_task(graph::NodeId id, const RunTask& task, const std::stop_token& stop);
  void keep_failed(graph::NodeId id, const RunTask& task, const RunResult& result, const Error& error);
  void note_emulation(graph::NodeId id, const RunResult& result, std::int64_t took);
  void verify(graph::NodeId id, const RunTask& task, RunResult& result, const std::stop_token& stop);
  LayerListing list_emulated(graph::NodeId id, RunTask task, const std::stop_token& stop);
  void keep(graph::NodeId id, cache::Layer made, std::int64_t took, const std::string& emulator);
  void tell_isolation(const RunResult& result);

  StepMakerParts parts_;
  std::atomic<bool> isolation_told_ = false;
  mutable std::mutex failed_mutex_;
  std::vector<std::pair<graph::NodeId, std::string>> failed_;
};

}  // namespace mbuild::executor
