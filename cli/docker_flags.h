#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/config/command.h"
#include "executor/api/build_request.h"

// Flags of docker and buildx that ask for what mbuild does not do. They are taken, so that scripts run unchanged, and
// each is answered with a line; only what would weaken a control is an error.
namespace mbuild::cli {

struct DockerFlags {
  std::vector<std::string> attest, provenance, sbom, policy;
  std::string cgroup_parent;
};

// Those of `build`. What has no effect whatever its value is says so while the command line is read.
void add_docker_flags(Command& build, DockerFlags& flags);
// Throws Error (usage) for a policy that is asked for, and for malformed attestations.
void check_docker_flags(const DockerFlags& flags);
// A line on standard error for what is asked for and not done.
void say_what_is_not_done(const DockerFlags& flags);

// The attestations that are asked for ("provenance", "sbom"): of one type, what --attest says last counts, and what
// --provenance and --sbom say counts more. Throws Error (usage).
std::set<std::string> asked_attestations(const DockerFlags& flags);

// Whether docker runs mbuild as its builder, and its engine answers.
bool is_behind_docker(const executor::SessionRequest& session, const std::stop_token& stop);
// What docker's own builder does then: an image for one platform is handed to the engine. False where nothing was
// chosen.
bool load_as_docker_does(executor::TargetRequest& request);

// --builder and --debug, which buildx takes with every command.
void add_global_docker_flags(Command& command);

}  // namespace mbuild::cli
