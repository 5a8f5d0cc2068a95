#include "cli/config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/config/config_registry.h"
#include "cli/config/config_section.h"
#include "cli/config/store_root.h"
#include "cli/display/progress.h"
#include "cli/display/usage_table.h"
#include "executor/api/acceleration.h"
#include "executor/api/compiler_pack.h"
#include "executor/collect.h"
#include "platforms/platform.h"

namespace mbuild::cli {
namespace {

void read_bounds(Section& section, GcBounds& bounds) {
  section.amount("max-used-space", bounds.max_used_space);
  section.amount("min-free-space", bounds.min_free_space);
  section.amount("reserved-space", bounds.reserved_space);
}

void read_policy(Section& section, GcPolicy& policy) {
  std::vector<std::string> filter;
  const auto parse = [&] { policy.matches = parse_item_filters(filter); };
  section.texts("filter", filter);
  section.check("filter", parse);
  std::string duration;
  section.text("keep-duration", duration);
  if (!duration.empty()) filter.push_back("until=" + duration);
  section.check("keep-duration", parse);
  read_bounds(section, policy.bounds);
}

void read_build(Section& section, BuildConfig& build) {
  section.texts("platforms", build.platforms);
  section.check("platforms", [&] { platforms::parse_platform_list(join(build.platforms, ",")); });
  section.texts("outputs", build.outputs);
  section.number("jobs", build.jobs);
  section.text("progress", build.progress);
  section.check("progress", [&] { parse_progress_mode(build.progress); });
  section.text("on-failure", build.on_failure);
  section.check("on-failure", [&] { opens_shell_on_failure(build.on_failure); });
}

void read_history(Section& section, history::Bounds& bounds) {
  bool enabled = true;
  unsigned entries = static_cast<unsigned>(bounds.entries);
  section.flag("enabled", enabled);
  section.number("entries", entries);
  bounds.entries = enabled ? entries : 0;
  std::string age;
  section.text("age", age);
  section.check("age", [&] {
    if (!age.empty()) bounds.age = std::chrono::seconds(parse_duration(age));
  });
}

void read_gc(Section& section, GcConfig& gc) {
  section.flag("enabled", gc.enabled);
  read_bounds(section, gc.bounds);
  section.list("policy", [&](Section& each) { read_policy(each, gc.policies.emplace_back()); });
}

void read_limit(Section& section, std::string_view key, std::uint64_t& limit) {
  std::string text;
  section.text(key, text);
  section.check(key, [&] { limit = text == "unlimited" ? 0 : std::max<std::uint64_t>(parse_size(text), 1); });
}

void read_log(Section& section, executor::LogLimits& limits) {
  read_limit(section, "max-size", limits.size);
  read_limit(section, "max-speed", limits.speed);
}

// BuildKit's variable: bytes, -1 is without a bound.
void read_limit(const char* variable, std::uint64_t& limit) {
  const std::string text = environment_variable(variable);
  if (text.empty()) return;
  std::int64_t bytes = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (code != std::errc() || end != text.data() + text.size() || bytes < -1) {
    throw Error(ExitClass::usage, fmt::format("invalid {} \"{}\"", variable, text))
        .with_advice("It is a number of bytes, or -1 for no bound.");
  }
  limit = bytes == -1 ? 0 : std::max<std::uint64_t>(static_cast<std::uint64_t>(bytes), 1);
}

// What is said in place of the default.
void apply(const GcBounds& bounds, std::uint64_t file_system_size, cache::SpacePolicy& policy) {
  if (bounds.max_used_space) policy.max_used = cache::in_bytes(*bounds.max_used_space, file_system_size);
  if (bounds.min_free_space) policy.min_free = cache::in_bytes(*bounds.min_free_space, file_system_size);
  if (bounds.reserved_space) policy.reserved = cache::in_bytes(*bounds.reserved_space, file_system_size);
}

}  // namespace

std::string config_path() {
  if (const auto named = environment_variable("MBUILD_CONFIG"); !named.empty()) return named;
  std::string home = environment_variable("XDG_CONFIG_HOME");
  if (home.empty() && !environment_variable("HOME").empty()) home = environment_variable("HOME") + "/.config";
  for (const auto& path : {home + "/mbuild/config.toml", std::string("/etc/mbuild/config.toml")}) {
    if (path_exists(path)) return path;
  }
  return "";
}

Config parse_config(const std::string& text, const std::string& path) {
  Config config{
      .path = path, .build = {}, .history = {}, .gc = {}, .log = {}, .sandbox = {}, .emulation = {}, .registries = {}};
  Section::read_file(text, path, [&](Section& file) {
    file.table("build", [&](Section& section) { read_build(section, config.build); });
    file.table("history", [&](Section& section) { read_history(section, config.history); });
    file.table("gc", [&](Section& section) { read_gc(section, config.gc); });
    file.table("sandbox",
               [&](Section& section) { section.flag("allow-less-isolation", config.sandbox.allow_less_isolation); });
    file.table("emulation", [&](Section& section) {
      section.text("accel", config.emulation.accel);
      section.check("accel", [&] { executor::parse_acceleration(config.emulation.accel); });
      section.texts("packs", config.emulation.packs);
      section.check("packs", [&] { std::ranges::for_each(config.emulation.packs, executor::check_pack_place); });
    });
    file.table("log", [&](Section& section) { read_log(section, config.log); });
    file.table("registry", [&](Section& section) { read_registries(section, path, config.registries); });
  });
  return config;
}

bool opens_shell_on_failure(const std::string& text) {
  if (text.empty() || text == "stop" || text == "shell") return text == "shell";
  throw usage_error(fmt::format("invalid --on-failure {}", text)).with_advice("It is shell or stop.");
}

Config load_config() {
  const std::string path = config_path();
  if (path.empty()) return {};
  if (!path_exists(path)) {
    throw Error(ExitClass::usage, fmt::format("there is no {}", path)).with_advice("MBUILD_CONFIG names it.");
  }
  return parse_config(read_file(path), path);
}

executor::LogLimits log_limits(const Config& config) {
  executor::LogLimits limits = config.log;
  read_limit("BUILDKIT_STEP_LOG_MAX_SIZE", limits.size);
  read_limit("BUILDKIT_STEP_LOG_MAX_SPEED", limits.speed);
  return limits;
}

std::vector<executor::CollectRequest> collect_requests(const GcConfig& gc, const std::string& root) {
  std::vector<executor::CollectRequest> requests;
  if (!gc.enabled) return requests;
  const std::uint64_t size = executor::space_around(root).size;
  for (const auto& policy : gc.policies) {
    cache::SpacePolicy bounds;
    apply(policy.bounds, size, bounds);
    requests.push_back({.matches = policy.matches, .bounds = cache::effective_bounds(bounds)});
  }
  auto bounds = cache::default_space_policy(size);
  apply(gc.bounds, size, bounds);
  requests.push_back({.matches = {}, .bounds = bounds});
  return requests;
}

}  // namespace mbuild::cli
