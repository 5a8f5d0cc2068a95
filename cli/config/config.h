#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cache/space_policy.h"
#include "executor/api/log_limits.h"
#include "executor/collect.h"
#include "history/bounds.h"
#include "remote/registry.h"

// The configuration file (TOML): what a user or an administrator sets once. docs/user-guide.md lists its keys.
namespace mbuild::cli {

// Bounds of the store; those that are not given have a default.
struct GcBounds {
  std::optional<cache::Amount> max_used_space, min_free_space, reserved_space;
};

// [[gc.policy]]: what goes before anything else, until its bounds hold.
struct GcPolicy {
  std::function<bool(const cache::StoreItem&)> matches;  // the filter and keep-duration; empty: everything
  GcBounds bounds;                                       // none: all that matches
};

// [gc]: when a build removes what the store holds longest without use.
struct GcConfig {
  bool enabled = true;  // after each build
  GcBounds bounds;
  std::vector<GcPolicy> policies;
};

// [sandbox]: how RUNs are kept apart.
struct SandboxConfig {
  bool allow_less_isolation = false;  // --allow-less-isolation for every build
};

// [emulation]: how programs of foreign platforms are run.
struct EmulationConfig {
  std::string accel;               // --accel for every build; "" where nothing is said
  std::vector<std::string> packs;  // --accel-packs
};

// [build]: what `mbuild build` does where no flag and no variable says otherwise.
struct BuildConfig {
  std::vector<std::string> platforms;  // --platform
  std::vector<std::string> outputs;    // --output, where none of --output, --push and --load is given
  unsigned jobs = 0;                   // --jobs; 0 is the default
  std::string progress;                // --progress
  std::string on_failure;              // --on-failure
};

struct Config {
  std::string path;  // "" when there is no file
  BuildConfig build;
  history::Bounds history;  // [history]
  GcConfig gc;
  executor::LogLimits log;
  SandboxConfig sandbox;
  EmulationConfig emulation;
  remote::RegistryHosts registries;  // [registry] and [registry."HOST"]
};

// --on-failure: "shell", "stop", or "" for that. True for a shell. Throws Error (usage).
bool opens_shell_on_failure(const std::string& text);

// The first that there is: $MBUILD_CONFIG (which must be there when it is set), $XDG_CONFIG_HOME/mbuild/config.toml
// (~/.config by default), /etc/mbuild/config.toml. Throws Error (usage) that names file and line: no TOML, an unknown
// key, a value of the wrong kind.
Config load_config();

// The file that load_config() reads; "" when there is none.
std::string config_path();

// How much of a step's output is shown: what the file says, or the environment.
executor::LogLimits log_limits(const Config& config);

// What is to be removed from the store at `root` after a build: one policy after the other, the bounds of [gc] last.
std::vector<executor::CollectRequest> collect_requests(const GcConfig& gc, const std::string& root);

// The same from a text; `path` is its name in messages.
Config parse_config(const std::string& text, const std::string& path);

}  // namespace mbuild::cli
