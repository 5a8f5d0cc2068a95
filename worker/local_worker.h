#pragma once

#include <functional>
#include <memory>
#include <string>

#include "worker/cache_mounts.h"
#include "worker/inner/lazy_inner.h"
#include "worker/jobs/build_network.h"
#include "worker/layer_directories.h"
#include "worker/worker.h"

namespace mbuild::executor {

// Files of the user, to be copied.
struct LentSelection {
  int directory = -1;  // open as long as `selection` is held
  std::shared_ptr<const Selection> selection;
};

struct LocalWorkerParts {
  LazyInner& inner;
  BuildNetwork& network;
  cache::Store& store;
  WorkDirectories& work;
  LayerDirectories& layers;
  // What the ids of tasks mean; without them the worker does no such tasks.
  std::function<LentSelection(const std::string& id)> user_files;
  std::function<std::string(const std::string& id)> agent_socket;  // a path
};

// A program that is attended while it runs. What it writes is left in `directory`/upper; there is no layer.
struct ContainerTask {
  RunTask run;                      // without a layer
  std::string directory;            // an existing one in the store, of this container alone
  std::vector<SandboxMount> binds;  // of the caller's directories
  ContainerSetup setup;
  Fd stdout_fd, stderr_fd;  // none where it has a terminal
  bool is_native = false;   // its program is the host's, whatever the platform of the files is
};

// Gives a sink what a file holds from where it stands. Throws Error for what can't be read.
void give_all(int file, const TarSink& sink);

// Runs steps in the inner process, on the layers of the store. Its layers are those of the store: a layer that it makes
// has its directory there, and gets its row by whoever keeps it (LayerDirectories::add).
class LocalWorker final : public Worker {
 public:
  explicit LocalWorker(LocalWorkerParts parts);

  bool lends() const override { return parts_.user_files != nullptr; }
  LayerIds missing(const LayerIds& layers) override;
  std::optional<cache::Layer> find(const std::string& layer) override;
  void put(const cache::Layer& layer, const TarSource& tar, std::stop_token stop) override;
  void get(const std::string& layer, const TarSink& tar, std::stop_token stop) override;
  std::string prepare(const RunTask& task) override;
  bool needs_first_content(const TaskMount& cache) override { return caches_.needs_first_content(cache); }
  RunResult run(const RunTask& task, StepSink& sink, std::stop_token stop) override;
  // A RUN of this machine's alone: a container. Throws and is cancelled as `run` is.
  RunResult run_container(ContainerTask task, std::stop_token stop);
  // Files of a container that does not run, whose task had this root and this directory; with a volume, of that alone.
  FileReply resting_files(const LayerIds& root, const std::string& directory, FileOrder order,
                          std::optional<SandboxMount> volume, const std::stop_token& stop);
  // What one has changed (jobs::changes).
  std::vector<std::string> changes(const LayerIds& root, const std::string& directory, const std::stop_token& stop);
  FilesResult apply(const FilesTask& task, std::stop_token stop) override;
  ProbeResult probe(const FilesTask& task, std::stop_token stop) override;
  Digest digest(const LayerIds& snapshot, const std::string& selector, std::stop_token stop) override;

 private:
  void forget_failed(const RunResult& result);
  RunResult run_emulated(const RunTask& task, StepSink& sink, const std::stop_token& stop);
  jobs::RunReply run_in_network(Inner& inner, jobs::RunRequest run, const std::stop_token& stop);
  RunResult run_once(const RunTask& task, StepSink& sink, const std::stop_token& stop);
  jobs::RunRequest run_request(const RunTask& task, const std::string& work, CacheMounts::Held& held, RunResult& result,
                               const std::stop_token& stop);
  SandboxMount sandbox_mount(const TaskMount& mount, jobs::RunRequest& run, CacheMounts::Held& held,
                             const std::stop_token& stop);
  NativeSource native_source(const RunTask& task, const std::string& work, const std::stop_token& stop);
  Inner& inner_for(const RunTask& task, bool emulated, jobs::RunRequest& run);
  jobs::FilesRequest files_request(const FilesTask& task, const std::stop_token& stop);
  image::OwnerMode owner_mode() const { return parts_.inner.map().owner_mode(); }

  LocalWorkerParts parts_;
  CacheMounts caches_;
};

}  // namespace mbuild::executor
