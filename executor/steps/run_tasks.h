#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "executor/api/build_request.h"
#include "executor/steps/lent_files.h"
#include "executor/steps/siblings.h"
#include "executor/steps/step_reads.h"
#include "executor/steps/workers.h"
#include "worker/worker.h"

namespace mbuild::executor {

struct RunTasksParts {
  const SessionRequest& session;
  const StepTargets& targets;
  StepTable& table;
  const StepReads& reads;
  cache::Store& store;
  LayerDirectories& layers;
  LentFiles& lent;
  Workers& workers;
  Siblings& siblings;
};

// Makes tasks of RUN instructions. Thread-safe, for one step by one thread.
class RunTasks {
 public:
  explicit RunTasks(const RunTasksParts& parts) : parts_(parts) {}

  // What the task has of the instruction itself: all but layers, mounts and the variables that come of these.
  RunTask begin(graph::NodeId id, std::string layer) const;
  // The rest; has the layers where the task can be run. What was copied of the user's files meanwhile is in the table.
  void complete(RunTask& task, graph::NodeId id, const std::stop_token& stop);

 private:
  std::optional<TaskMount> mount(RunTask& task, graph::NodeId id, std::size_t index, const std::stop_token& stop);
  std::optional<LayerIds> sibling(graph::NodeId id, const std::stop_token& stop);
  bool add_secret(RunTask& task, TaskMount& out, graph::NodeId id, const graph::Mount& mount) const;
  bool add_agent(RunTask& task, TaskMount& out, graph::NodeId id, const graph::Mount& mount) const;
  std::string cache_name(graph::NodeId id, std::size_t index) const;
  LayerIds layers_of(graph::NodeId id, std::size_t index, const std::stop_token& stop);
  cache::Layer layer_of_context(graph::NodeId id, std::size_t index, const std::stop_token& stop);

  RunTasksParts parts_;
};

// The socket of an agent of --ssh, "" where there is none.
std::string agent_socket(const TargetRequest& request, const std::string& id);

// How a cache mount is named: by its id and by what it starts from, an owner and a mode or the files of another stage,
// image or context with the digest `from`. Two projects that agree on the id alone have directories of their own.
std::string cache_mount_name(const graph::Mount& mount, const Digest& from);

// The variable that names a proxy which only the host itself reaches; "" where there is none.
std::string loopback_proxy(const std::vector<std::string>& env);

// What is said of a RUN that ended with another status than 0; `env` is that of the task.
Error run_failure(const graph::ExecOp& op, const RunResult& result, const std::vector<std::string>& env);

}  // namespace mbuild::executor
