#pragma once

#include <optional>
#include <string>
#include <vector>

#include "containers/attend.h"
#include "executor/api/build_request.h"
#include "executor/steps/failed_step.h"

// Looking into a RUN that failed: a shell, or a command, where it ran, in what it had written until then. What is
// written there is dropped when it ends.
namespace mbuild::containers {

struct Visit {
  std::vector<std::string> argv;    // empty: a shell
  std::optional<std::string> user;  // in the place of the step's
  bool terminal = false;
  bool open_stdin = false;
  std::string terminal_type;  // TERM, where the step has none
  // Of these the secrets and agents are asked for.
  executor::TargetRequest given;
};

// The ids of secrets and agents that the step had and `given` has not.
std::vector<std::string> missing_secrets(const executor::FailedStep& step, const executor::TargetRequest& given);

// The shell that a command line is given to: "/bin/bash" of {"/bin/bash", "-c", "make"}; "" where it is none that is
// known.
std::string shell_of(const std::vector<std::string>& argv);

// Returns the status of the shell or command. Throws Error: what it stands on is gone from the store, or there is
// nothing to be run.
int visit_failed_step(const executor::SessionRequest& session, const executor::FailedStep& step, const Visit& visit,
                      const Streams& streams);

}  // namespace mbuild::containers
