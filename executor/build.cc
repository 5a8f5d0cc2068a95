#include "executor/build.h"

#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "executor/api/secrets.h"
#include "executor/build_session.h"
#include "executor/definition.h"
#include "executor/execution.h"
#include "executor/full_disk.h"
#include "executor/outputs/cache_export.h"
#include "executor/outputs/export.h"
#include "executor/upkeep.h"

namespace mbuild::executor {
namespace {

// True when it added something that upkeep has work with. `full`: the disk, if that is why it failed.
bool build(const BuildRequest& request, ProgressSink& sink, std::stop_token stop, BuildResult& result,
           std::optional<FileSystemSpace>& full) {
  check_outputs(request);
  check_caches(request);
  check_secrets(request);
  BuildSession session(request, sink, result, std::move(stop));
  Definition definition(session);
  Execution execution(session, definition);
  try {
    execution.run();
  } catch (const Error& error) {
    full = full_disk_at(error, request.store_root);
    execution.end();
    throw;
  } catch (...) {
    execution.end();
    throw;
  }
  execution.end();
  auto& store = session.place.store;
  if (store.index_is_damaged()) store.replace_index();
  return store.has_volatile_rows();
}

}  // namespace

void run_build(const BuildRequest& request, ProgressSink& sink, std::stop_token stop, BuildResult& result) {
  std::optional<FileSystemSpace> full;
  try {
    // Only now that the build's lock has gone: while it is held, nothing that the build used may be removed.
    if (build(request, sink, std::move(stop), result, full)) start_upkeep(request.store_root);
  } catch (Error& error) {
    if (!full && is_out_of_space(error)) full = full_disk_at(error, request.store_root);
    if (full) explain_full_disk(error, *full, request.store_root);
    throw;
  }
}

}  // namespace mbuild::executor
