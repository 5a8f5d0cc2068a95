#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>

#include "executor/api/build_request.h"
#include "executor/api/events.h"
#include "executor/sources/base_images.h"
#include "executor/sources/retry_log.h"
#include "executor/sources/transfer_log.h"
#include "executor/workplace.h"

namespace mbuild::executor {

// What all that is built at one time shares, whatever the number of targets: the store, what works in it, the images of
// registries, and whom it is told. Nothing is fetched or started before a part is used. What the targets are read from
// and lowered to are Definitions (definitions.h), what becomes of them an Execution (execution.h).
class BuildSession {
 public:
  // Opens the store. All that is given has to outlive the session.
  BuildSession(const SessionRequest& asked, std::span<const TargetRequest> of, ProgressSink& told,
               std::span<BuildResult> filled, std::stop_token stopping);
  BuildSession(const BuildSession&) = delete;
  BuildSession& operator=(const BuildSession&) = delete;

  // Adds a warning of the rule, which is of no one target, to the first result. What it returns is called from any
  // thread.
  std::function<void(std::string text)> warn(const char* rule);

  const SessionRequest& request;
  const std::span<const TargetRequest> targets;
  ProgressSink& sink;
  const std::span<BuildResult> results;  // of the targets
  const std::stop_token stop;

 private:
  std::mutex warnings_lock_;
  RetryLog retries_;
  MirrorLog mirrors_;
  TransferLog transfers_;

 public:
  BuildStore place;
  Workplace workplace;
  ImageSources images;
};

}  // namespace mbuild::executor
