#pragma once

#include "executor/build_session.h"
#include "executor/definition.h"
#include "executor/outputs/environment.h"
#include "executor/sources/cache_import.h"
#include "executor/steps/steps.h"

namespace mbuild::executor {

// What becomes of a target: its steps, looked up or run, and what its outputs make of their results.
class Execution {
 public:
  // Starts nothing. Both have to outlive this.
  Execution(BuildSession& session, Definition& definition);
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  // Has all steps of the plan done and writes the outputs, images first; what turns out to be damaged in the store is
  // made anew. Throws Error, Cancelled.
  void run();
  // To be called when run() has returned or thrown: what steps read is kept for the question why they run the next
  // time, and the result says how many ran.
  void end();

 private:
  bool run_and_export();
  void note_inputs();

  BuildSession& session_;
  Definition& definition_;
  ImportedCaches imports_;
  Steps steps_;
  ExportEnvironment exporting_;
};

}  // namespace mbuild::executor
