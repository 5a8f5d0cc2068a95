#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "executor/api/acceleration.h"
#include "executor/api/cache_reference.h"
#include "executor/api/log_limits.h"
#include "executor/api/output.h"
#include "executor/api/source_policy.h"
#include "executor/api/surroundings.h"
#include "frontend/frontend.h"
#include "graph/graph.h"
#include "image/annotations.h"
#include "platforms/platform.h"
#include "remote/registry.h"

// What the user asked for, as plain data: the command line fills one in, a bake file several. Paths are of the process
// that builds: those that are not absolute, of its current directory.
namespace mbuild::executor {

struct Secret {
  std::string id;
  std::string file;                  // path, or
  std::optional<std::string> value;  // what it is itself, of a variable of the environment
};

struct SshAgent {
  std::string id;
  std::vector<std::string> paths;  // a socket, or keys; empty: there is none
};

// What is asked of all that is built at one time.
struct SessionRequest {
  std::string store_root;
  unsigned steps_at_once = 0;  // 0 is the default
  bool explain = false;
  bool keep_going = false;            // a target that fails spares the others
  bool allow_less_isolation = false;  // of RUNs, where the host can't do better
  Acceleration acceleration = Acceleration::safe;
  std::vector<std::string> compiler_packs;  // where they are looked for (api/compiler_pack.h), but for the store
  bool offline = false;                     // of run_check, run_outline, run_targets: nothing is looked up
  remote::RegistryHosts registries;
  LogLimits log_limits;
  Surroundings surroundings;
  std::shared_ptr<const SourcePolicy> source_policy;  // none: every source is allowed
};

// What is asked of one target.
struct TargetRequest {
  std::string name;                            // among the targets of a session, where there are several
  std::string context;                         // directory, "-", or a git or http address
  std::string dockerfile;                      // path, "-", or "" for CONTEXT/Dockerfile
  std::optional<std::string> dockerfile_text;  // itself, in place of a file
  std::string target;                          // stage
  std::vector<platforms::Platform> platforms;
  std::map<std::string, std::string> build_args;
  // NAME=VALUE; "target:NAME" is the image of another target of the session.
  std::vector<std::pair<std::string, std::string>> contexts;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::string> tags;
  std::vector<Output> outputs;
  std::vector<image::Annotation> annotations;
  std::string artifact_type;  // of the manifests
  std::vector<Secret> secrets;
  std::vector<SshAgent> ssh;
  std::vector<std::string> no_cache_filter;
  std::vector<std::string> allow;  // entitlements
  std::vector<CacheReference> cache_from, cache_to;
  bool no_cache = false;
  bool pull = false;  // what one target asks for all get: images are shared
  graph::NetworkMode network = graph::NetworkMode::standard;
  std::vector<std::pair<std::string, std::string>> extra_hosts;
  std::vector<graph::Ulimit> ulimits;
  std::uint64_t shm_size = 0;
  std::string cgroup_parent;
  bool reproducible = false;
  std::string arch_check;  // error, warn, off; "": as error, but a FROM of another platform is a warning
  std::vector<std::string> arch_allow;
};

// A session with one target.
struct BuildRequest : SessionRequest, TargetRequest {};
inline std::span<const TargetRequest> target_of(const BuildRequest& request) {
  return {static_cast<const TargetRequest*>(&request), 1};
}

struct LayerResult {
  Digest digest;
  std::uint64_t bytes = 0;  // as it is sent
  std::string made_by;      // the instruction; "" for a layer of the base image
  int line = 0;             // of the Dockerfile
};

struct PlatformResult {
  platforms::Platform platform;
  Digest manifest, config;
  std::uint64_t bytes = 0;  // of the layers as they are sent, and of config and manifest
  std::vector<LayerResult> layers;
};

// Why a step ran.
struct StepExplanation {
  std::string name;
  std::vector<std::string> reasons;  // the most important first
};

// Of one target.
struct BuildResult {
  std::optional<Error> error;  // why it was not built, in a session that keeps going
  Digest dockerfile;           // of its text; "" until it was read
  std::vector<PlatformResult> images;
  image::Descriptor descriptor;    // of the image index, or of the only manifest; no digest where no image was made
  std::string image_id;            // what --iidfile gets
  std::string failed_step;         // the first RUN that failed, by the id by which it is kept; "": none is
  std::vector<std::string> names;  // of the image
  std::vector<frontend::dockerfile::Warning> warnings;
  // Of steps that several targets of a session need, with the first of them only.
  std::size_t steps_run = 0, steps_cached = 0;
  EmulationUse emulation;
  std::vector<StepExplanation> explanations;  // of the steps that ran, where the request asks for them
};

}  // namespace mbuild::executor
