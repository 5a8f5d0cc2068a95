#pragma once

#include <cstdint>
#include <exception>
#include <mutex>
#include <stop_token>
#include <vector>

#include "executor/build_session.h"
#include "executor/definitions.h"
#include "executor/outputs/environment.h"
#include "executor/sources/cache_import.h"
#include "executor/steps/steps.h"

namespace mbuild::executor {

// What becomes of the targets of a session: their steps, looked up or run, and what their outputs make of the results.
class Execution {
 public:
  // Starts nothing. Both have to outlive this.
  Execution(BuildSession& session, Definitions& definitions);
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  // Has all steps of the plan done and writes the outputs of each target, images first; what turns out to be damaged in
  // the store is made anew. Throws Error, Cancelled; in a session that keeps going, the first Error when all that can
  // be done is done.
  void run();
  // To be called when run() has returned or thrown: what steps read is kept for the question why they run the next
  // time, and the results say how many ran.
  void end();

 private:
  struct Target {
    Definition& definition;
    const planner::Plan& plan;
    ExportEnvironment exporting;
    bool delivered = false;
    std::exception_ptr failure = nullptr;
  };

  void add_target(Definition& definition);
  bool run_and_export();
  void run_steps();
  void run_step(graph::NodeId id, const std::stop_token& stop);
  bool is_wanted(graph::NodeId id);
  void fail(Target& target, const std::exception_ptr& failure);
  void deliver(Target& target);
  void note_inputs(const Target& target);

  BuildSession& session_;
  Definitions& definitions_;
  ImportedCaches imports_;
  Steps steps_;
  std::vector<Target> targets_;
  std::size_t outputs_ = 0, caches_ = 0;  // of the targets so far
  std::mutex mutex_;
  std::vector<std::vector<Target*>> needed_by_;  // by node, in a session that keeps going
  std::exception_ptr failure_;                   // the first
};

}  // namespace mbuild::executor
