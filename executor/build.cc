#include "executor/build.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "executor/api/secrets.h"
#include "executor/build_session.h"
#include "executor/definitions.h"
#include "executor/execution.h"
#include "executor/full_disk.h"
#include "executor/outputs/cache_export.h"
#include "executor/outputs/export.h"
#include "executor/upkeep.h"

namespace mbuild::executor {
namespace {

struct Asked {
  const SessionRequest& session;
  std::span<const TargetRequest> targets;
  ProgressSink& sink;
  std::stop_token stop;
  std::span<BuildResult> results;
};

bool reads_input(const TargetRequest& target) { return target.context == "-" || target.dockerfile == "-"; }

void check(const Asked& asked) {
  if (std::ranges::count_if(asked.targets, reads_input) > 1)
    throw Error(ExitClass::usage, "several targets want to read a context or Dockerfile from the standard input");
  check_outputs(asked.session.surroundings, asked.targets);
  for (const auto& target : asked.targets) {
    check_caches(target);
    check_secrets(target);
  }
}

// True when it added something that upkeep has work with. `full`: the disk, if that is why it failed.
bool build(const Asked& asked, std::optional<FileSystemSpace>& full) {
  check(asked);
  BuildSession session(asked.session, asked.targets, asked.sink, asked.results, asked.stop);
  Definitions definitions(session);
  Execution execution(session, definitions);
  try {
    execution.run();
  } catch (const Error& error) {
    full = full_disk_at(error, asked.session.store_root);
    execution.end();
    if (definitions.failure) std::rethrow_exception(definitions.failure);
    throw;
  } catch (...) {
    execution.end();
    throw;
  }
  execution.end();
  if (definitions.failure) std::rethrow_exception(definitions.failure);
  auto& store = session.place.store;
  if (store.index_is_damaged()) store.replace_index();
  return store.has_volatile_rows();
}

void run(const Asked& asked) {
  const auto& root = asked.session.store_root;
  std::optional<FileSystemSpace> full;
  try {
    // Only now that the build's lock has gone: while it is held, nothing that the build used may be removed.
    if (build(asked, full)) start_upkeep(root);
  } catch (Error& error) {
    if (!full && is_out_of_space(error)) full = full_disk_at(error, root);
    if (full) explain_full_disk(error, *full, root);
    throw;
  }
}

}  // namespace

void run_build(const BuildRequest& request, ProgressSink& sink, std::stop_token stop, BuildResult& result) {
  run({request, target_of(request), sink, std::move(stop), {&result, 1}});
}

void run_builds(const SessionRequest& session, const std::vector<TargetRequest>& targets, ProgressSink& sink,
                std::stop_token stop, std::vector<BuildResult>& results) {
  results.assign(targets.size(), {});
  if (!targets.empty()) run({session, targets, sink, std::move(stop), results});
}

}  // namespace mbuild::executor
