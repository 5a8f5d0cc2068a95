#pragma once

#include <optional>
#include <string>

#include "cache/space_policy.h"
#include "remote/registry.h"

// The configuration file (TOML): what a user or an administrator sets once. docs/user-guide.md lists its keys.
namespace mbuild::cli {

// [gc]: when a build removes what the store holds longest without use.
struct GcConfig {
  bool enabled = true;  // after each build
  std::optional<cache::Amount> max_used_space, min_free_space, reserved_space;
};

struct Config {
  std::string path;  // "" when there is no file
  GcConfig gc;
  remote::RegistryHosts registries;  // [registry] and [registry."HOST"]
};

// The first that there is: $MBUILD_CONFIG (which must be there when it is set), $XDG_CONFIG_HOME/mbuild/config.toml
// (~/.config by default), /etc/mbuild/config.toml. Throws Error (usage) that names file and line: no TOML, an unknown
// key, a value of the wrong kind.
Config load_config();

// The bounds of the store at `root`; nothing when they are not kept.
std::optional<cache::SpacePolicy> store_bounds(const GcConfig& gc, const std::string& root);

// The same from a text; `path` is its name in messages.
Config parse_config(const std::string& text, const std::string& path);

}  // namespace mbuild::cli
