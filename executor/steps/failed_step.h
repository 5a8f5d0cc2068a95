#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cache/store.h"
#include "graph/graph.h"
#include "worker/worker.h"

// A RUN that failed, as the store keeps it for who wants to look into it (docs/formats.md).
namespace mbuild::executor {

// A secret that it had; the value is kept nowhere.
struct UsedSecret {
  std::string id;
  std::string variable;           // of the environment; "": none
  std::optional<TaskMount> file;  // without the content
  bool was_given = false;
};

// An ssh agent that it had.
struct UsedAgent {
  std::string id;
  TaskMount socket;
};

struct FailedStep {
  std::string id;
  RunTask task;         // without secrets and agents
  std::string written;  // the layer of what it had written when it failed; "": nothing
  std::vector<UsedSecret> secrets;
  std::vector<UsedAgent> agents;
  std::string name;  // "[linux/arm64 2/3] RUN make"
  std::string emulator;
  std::string failure;
  std::int32_t line = 0;    // of the Dockerfile
  std::int64_t failed = 0;  // milliseconds since 1970
};

// What is to be kept of a task whose operation is `op`: what only the user may give is taken out.
FailedStep failed_step_of(const graph::ExecOp& op, RunTask task);

// Where those of a store are, for the ids that it is opened with.
std::string failed_steps_directory(const cache::Store& store);

// Keeps one, and forgets those that are older than a day or beyond the bound. `remove_later` removes a directory of the
// store when the build is over. Throws Error (store).
void keep_failed_step(const FailedStep& step, cache::Store& store,
                      const std::function<void(std::string)>& remove_later);

// Forgets those that are older than a day at `now` (milliseconds since 1970) or beyond the bound; `remove` is given the
// directories that are left of them.
void forget_failed_steps(cache::Store& store, std::int64_t now, const std::function<void(std::string)>& remove);

// The newest first.
std::vector<FailedStep> failed_steps(const cache::Store& store);
// Nothing where it is not kept any more.
std::optional<FailedStep> read_failed_step(const cache::Store& store, const std::string& id);

}  // namespace mbuild::executor
