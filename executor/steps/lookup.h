#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <stop_token>

#include "cache/store.h"
#include "executor/sources/cache_import.h"
#include "executor/steps/step_table.h"
#include "executor/steps/workers.h"
#include "planner/plan.h"
#include "worker/layer_directories.h"

namespace mbuild::executor {

struct StepLookupParts {
  const planner::Plan& plan;
  StepTable& table;
  cache::Store& store;
  ImportedCaches& imports;
  LayerDirectories& layers;
  const Workers& workers;
  emu::NativeUse native_use = emu::NativeUse::compilers;  // what was made with more is not found
};

// Finds the results of steps that somebody ran before: in the store, then in the imported caches. A step that is found
// has its result and key in the table. Thread-safe, for one step by one thread.
class StepLookup {
 public:
  explicit StepLookup(const StepLookupParts& parts) : parts_(parts) {}

  // By the definition key and the digests of the whole inputs, which the table has.
  bool find_by_inputs(graph::NodeId id);
  // By the content key. Of a step that ignores the cache, what this build itself has run counts.
  bool find_by_content(graph::NodeId id, const Digest& key);

  // Where a step's partial key was not met, there is hardly a record for it, whatever its content key is: then the lock
  // under which it is to be run, without a look-up. (Was there a record after all, the layer turns out to be known.)
  // The lock keeps others from doing the same; it is empty when there is something to be looked up.
  cache::FileLock lock_unknown(graph::NodeId id, const Digest& partial, const std::stop_token& stop);
  // Whether lock_unknown may give a lock, as it seems before one has waited for it.
  bool seems_unknown(graph::NodeId id, const Digest& partial);

  // The step with this key was run by this build.
  void ran(const Digest& key);

 private:
  bool ignores_cache(graph::NodeId id) const { return parts_.table.graph.info[id].front().ignore_cache; }
  bool is_unwanted(const std::string& emulator) const;
  bool use_record(graph::NodeId id, const Digest& key);
  bool use_import(graph::NodeId id, const Digest& key);

  StepLookupParts parts_;
  std::mutex mutex_;
  std::set<Digest> ran_;  // content and partial keys of this build: known even to steps that ignore the cache
};

// The layer as the result of a step.
std::shared_ptr<const SnapshotLayer> as_result(const cache::Layer& layer, const graph::Graph& graph, graph::NodeId id,
                                               std::int64_t created, std::shared_ptr<const HeldLayer> held = nullptr);

}  // namespace mbuild::executor
