#pragma once

#include <stop_token>

#include "executor/steps/lent_files.h"
#include "executor/steps/step_reads.h"
#include "executor/steps/workers.h"
#include "worker/worker.h"

namespace mbuild::executor {

// Finds out what steps read of snapshots, for their content keys (keys.cc), and writes it into the table.
class StepKeys {
 public:
  StepKeys(StepTable& table, const StepReads& reads, LentFiles& lent, Workers& workers)
      : table_(table), reads_(reads), lent_(lent), workers_(workers) {}

  Digest content_key(graph::NodeId id, const std::stop_token& stop);
  // Of a RUN.
  Digest key_of_run(graph::NodeId id, const std::stop_token& stop);
  // Of a file step that was probed.
  Digest key_of_files(graph::NodeId id, const ProbeResult& probe);
  // A file step as a task, without a layer; its inputs are where it can be run.
  FilesTask files_task(graph::NodeId id, const std::stop_token& stop);

 private:
  Digest mount_digest(graph::NodeId id, std::size_t mount, const std::stop_token& stop);

  StepTable& table_;
  const StepReads& reads_;
  LentFiles& lent_;
  Workers& workers_;
};

}  // namespace mbuild::executor
