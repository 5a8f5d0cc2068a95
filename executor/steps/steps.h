#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/store.h"
#include "executor/api/build_request.h"
#include "executor/api/events.h"
#include "executor/sources/base_images.h"
#include "executor/sources/cache_import.h"
#include "executor/sources/contexts.h"
#include "executor/steps/fresh_caches.h"
#include "executor/steps/snapshot.h"
#include "executor/steps/step_reads.h"
#include "executor/steps/step_table.h"
#include "graph/graph.h"
#include "planner/plan.h"
#include "worker/inner/lazy_inner.h"
#include "worker/jobs/build_network.h"
#include "worker/jobs/jobs.h"

// One step after another: look it up, else run it, and keep what it gave.
//
// A step has two keys (docs/design.md, section 5). By its definition key and the digests of its whole inputs it is
// found without reading any file of a snapshot. By its content key (what it really reads: the selected files, the
// probed destination) it is found although an input changed. A record belongs to a content key; a row of definitions
// leads there from the other. Both are sound because a result digest stands for a result completely: where two results
// have the same digest, the older layer is kept.
namespace mbuild::executor {

struct StepEnvironment {
  const graph::Graph& graph;
  const planner::Plan& plan;
  const BuildRequest& request;
  cache::Store& store;
  const cache::BuildDirectory& directory;
  ImageSources& images;
  ImportedCaches& imports;
  Contexts& contexts;
  LazyInner& inner;
  BuildNetwork& network;
  ProgressSink& sink;
  // The Dockerfile's lines around the node's instruction, for errors.
  std::function<std::string(graph::NodeId)> excerpt;
  // Tells the user what steps had to do without; called from many threads.
  std::function<void(std::string text)> warn_of_isolation;
  // Removes a directory in the store when the build is over; called from many threads.
  std::function<void(std::string)> remove_later;
};

class Steps {
 public:
  explicit Steps(StepEnvironment environment);

  // Runs one node; all its inputs have been run. Called from many threads.
  void run(graph::NodeId id, std::stop_token stop);
  bool is_emulated(graph::NodeId id) const;

  const Snapshot& result(graph::Ref ref) const { return table_.result(ref); }
  // The snapshot's layers as directories, pulled ones unpacked, and in a long one the older ones flattened.
  Stack unpacked(const Snapshot& snapshot, std::stop_token stop);

  // The directory of one of its layers; nothing for a pulled or promised one that nothing had to read.
  const cache::Layer* unpacked_layer(const Snapshot& snapshot, std::size_t index);

  // What became of the steps, and what they read of the user's files.
  const StepTable& table() const { return table_; }
  const StepReads& reads() const { return reads_; }

  // Looks all up again, after a promise was broken (cache_import.h). What was executed stays in the store.
  void start_over();

  // Forgets the layers that this build has seen and that are no longer there; true when there are any.
  bool forget_lost_layers();

  // Has a promised layer in the store. Throws PromiseBroken.
  void fetch(const SnapshotLayer& layer, std::stop_token stop) { unpack_import(layer, stop); }
  // The result that an imported cache promises with this blob, if one does; the end of that promise, said to the user.
  std::optional<Digest> promised_result(const Digest& blob) const;
  [[noreturn]] void break_promise(const Digest& result, const Error& why) const;

  // The steps that have a result, for a cache.
  struct Exported {
    image::CachedStep step;
    std::shared_ptr<const SnapshotLayer> layer;
  };
  std::vector<Exported> exported() const;

  std::size_t steps_run() const { return steps_run_; }
  std::size_t steps_cached() const { return steps_cached_; }

 private:
  void run_source(graph::NodeId id, const graph::SourceOp& source, std::stop_token stop);
  void run_merge(graph::NodeId id);
  void run_cached(graph::NodeId id, std::stop_token stop);

  // Keys.
  Digest content_key(graph::NodeId id, std::stop_token stop);
  Digest exec_key(graph::NodeId id, const graph::ExecOp& op, std::stop_token stop);
  Digest key_of_files(graph::NodeId id, const graph::FileOp& op, const jobs::ProbeReply& probe);
  cache::FileLock lock_unknown(graph::NodeId id, const Digest& partial, const std::stop_token& stop);
  Digest mount_digest(graph::NodeId id, const graph::Mount& mount, std::size_t index, std::stop_token stop);

  // Hits.
  bool use_record(graph::NodeId id, const Digest& key);
  bool use_import(graph::NodeId id, const Digest& key);
  void remember_import(graph::NodeId id, const image::CachedStep& step, const cache::Layer& layer);
  const cache::Layer& unpack_import(const SnapshotLayer& wanted, std::stop_token stop);
  const cache::Layer& unpack_promised(const SnapshotLayer& wanted, std::stop_token stop);
  void report_cached(graph::NodeId id);

  // Sources that are fetched: a file by HTTP, a git check-out. The result is a layer that holds it.
  cache::Layer fetch_file(graph::NodeId id, const graph::SourceOp& source, std::stop_token stop);
  cache::Layer fetch_git(const graph::SourceOp& source, std::stop_token stop);
  cache::Layer layer_of_directory(const std::string& directory, const std::string& mode, std::stop_token stop);

  // Misses.
  void execute(graph::NodeId id, std::stop_token stop);
  jobs::NewLayer execute_files(graph::NodeId id, const graph::FileOp& op, const std::string& layer_id,
                               std::stop_token stop);
  jobs::NewLayer execute_run(graph::NodeId id, const graph::ExecOp& op, const std::string& layer_id,
                             std::string& emulator, std::stop_token stop);
  jobs::NewLayer execute_run_surely(graph::NodeId id, const graph::ExecOp& op, const std::string& layer_id,
                                    std::string& emulator, std::stop_token stop);
  jobs::FilesRequest files_request(graph::NodeId id, const graph::FileOp& op, std::stop_token stop);
  // What a RUN holds while it is prepared and runs.
  struct Held {
    std::vector<cache::FileLock> locks;
    FreshCaches::User fresh_caches;
  };
  SandboxMount sandbox_mount(graph::NodeId id, const graph::Mount& mount, std::size_t index, jobs::RunRequest& run,
                             Held& held, std::stop_token stop);
  Stack mount_source(graph::NodeId id, const graph::Mount& mount, std::size_t index, std::stop_token stop);
  std::string cache_mount_name(graph::NodeId id, const graph::Mount& mount);
  std::vector<cache::FileLock> lock_cache_mounts(graph::NodeId id, const graph::ExecOp& op,
                                                 const std::stop_token& stop);
  std::string use_cache_mount(graph::NodeId id, const graph::Mount& mount, std::size_t index, jobs::RunRequest& run,
                              Held& held, const std::stop_token& stop);
  Inner& inner_for(const graph::ExecOp& op, bool emulated, jobs::RunRequest& run);
  void tell_isolation(const SandboxResult& result);
  std::optional<std::string> secret(const std::string& id) const;
  const cache::Layer& keep(const std::string& layer_id, const jobs::NewLayer& made);
  std::string work_directory();
  image::OwnerMode owner_mode() const { return environment_.inner.map().owner_mode(); }

  // Layers as directories.
  const cache::Layer* find_layer(const std::string& id);
  const cache::Layer& remember(cache::Layer layer);
  const cache::Layer& add_layer(cache::Layer layer);
  void unpack_missing(const Snapshot& snapshot, const std::stop_token& stop);
  bool unpack(const Snapshot& snapshot, std::size_t index, bool lowers_are_there, const std::stop_token& stop);
  jobs::UnpackReply fetch_and_unpack(jobs::UnpackRequest& request, const image::Descriptor& descriptor,
                                     const std::stop_token& stop);
  Error vanished(const SnapshotLayer& layer) const;
  const cache::Layer& flattened(std::span<const cache::Layer* const> layers, std::vector<const cache::Layer*> below,
                                const std::stop_token& stop);
  Stack stack_of(const std::vector<const cache::Layer*>& layers) const;

  VertexEvent event_of(graph::NodeId id) const;

  StepEnvironment environment_;
  StepTable table_;
  StepReads reads_;
  std::mutex mutex_;
  std::unordered_map<std::string, cache::Layer> layers_;  // by id: in the store, and held by this build
  std::set<Digest> executed_;  // content and partial keys of this build: known even to steps that ignore the cache
  FreshCaches fresh_caches_;
  std::atomic<unsigned> next_work_ = 0;
  std::atomic<bool> isolation_told_ = false;
  std::atomic<std::size_t> steps_run_ = 0, steps_cached_ = 0;
};

}  // namespace mbuild::executor
