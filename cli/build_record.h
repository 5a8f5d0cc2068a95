#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "cache/locks.h"
#include "cli/display/progress.h"
#include "cli/display/target_result.h"
#include "history/past_builds.h"
#include "history/recorder.h"

namespace mbuild::cli {

// What is to be kept of a build.
struct RecordRequest {
  std::string store_root;  // in whose history
  std::string directory;   // that the user works in
  history::Bounds bounds;
  std::string report, profile;  // files; "": none
  std::vector<history::Target> targets;
};

// The record of a build of this process, and the files that are made of it. Without a place for it, or anybody who
// asks, there is none, and events are passed on.
class BuildRecord {
 public:
  BuildRecord(const RecordRequest& request, executor::ProgressSink& shown);

  executor::ProgressSink& sink();
  // `error` is null where there was none.
  void end(const std::vector<TargetResult>& results, const Error* error, bool cancelled);
  // --report and --profile. Throws Error.
  void write_files();

 private:
  const RecordRequest& request_;
  executor::ProgressSink& shown_;
  std::optional<history::NewRecord> place_;
  std::unique_ptr<history::Recorder> recorder_;
};

}  // namespace mbuild::cli
