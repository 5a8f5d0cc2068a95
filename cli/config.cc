#include "cli/config.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/config_registry.h"
#include "cli/config_section.h"
#include "cli/store_root.h"
#include "executor/collect.h"

namespace mbuild::cli {
namespace {

void read_gc(Section& section, GcConfig& gc) {
  section.flag("enabled", gc.enabled);
  section.amount("max-used-space", gc.max_used_space);
  section.amount("min-free-space", gc.min_free_space);
  section.amount("reserved-space", gc.reserved_space);
}

std::string config_path() {
  if (const auto named = environment_variable("MBUILD_CONFIG"); !named.empty()) return named;
  std::string home = environment_variable("XDG_CONFIG_HOME");
  if (home.empty() && !environment_variable("HOME").empty()) home = environment_variable("HOME") + "/.config";
  for (const auto& path : {home + "/mbuild/config.toml", std::string("/etc/mbuild/config.toml")}) {
    if (path_exists(path)) return path;
  }
  return "";
}

}  // namespace

Config parse_config(const std::string& text, const std::string& path) {
  Config config{.path = path, .gc = {}, .registries = {}};
  Section::read_file(text, path, [&](Section& file) {
    file.table("gc", [&](Section& section) { read_gc(section, config.gc); });
    file.table("registry", [&](Section& section) { read_registries(section, path, config.registries); });
  });
  return config;
}

Config load_config() {
  const std::string path = config_path();
  if (path.empty()) return {};
  if (!path_exists(path)) {
    throw Error(ExitClass::usage, fmt::format("there is no {}", path)).with_advice("MBUILD_CONFIG names it.");
  }
  return parse_config(read_file(path), path);
}

std::optional<cache::SpacePolicy> store_bounds(const GcConfig& gc, const std::string& root) {
  if (!gc.enabled) return std::nullopt;
  const std::uint64_t size = executor::space_around(root).size;
  auto policy = cache::default_space_policy(size);
  if (gc.max_used_space) policy.max_used = cache::in_bytes(*gc.max_used_space, size);
  if (gc.min_free_space) policy.min_free = cache::in_bytes(*gc.min_free_space, size);
  if (gc.reserved_space) policy.reserved = cache::in_bytes(*gc.reserved_space, size);
  return policy;
}

}  // namespace mbuild::cli
