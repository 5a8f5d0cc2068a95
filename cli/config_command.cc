#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "base/parallel.h"
#include "base/size_text.h"
#include "cli/commands.h"
#include "cli/config/config.h"
#include "cli/config/settings.h"
#include "cli/config/store_root.h"
#include "cli/display/columns.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "platforms/platform.h"

namespace mbuild::cli {
namespace {

std::vector<KnownSetting> known_settings() {
  const executor::LogLimits log;
  return {
      {"build.platforms", platforms::to_string(platforms::host_platform()), "DOCKER_DEFAULT_PLATFORM"},
      {"build.outputs", "none", ""},
      {"build.jobs", std::to_string(std::max(32U, 4 * executor::core_count())), ""},
      {"build.progress", "auto", "BUILDKIT_PROGRESS"},
      {"build.on-failure", "stop", ""},
      {"build.source-policy", "none", "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"},
      {"sandbox.allow-less-isolation", "false", ""},
      {"emulation.accel", "safe; compilers where emulation.packs is given", ""},
      {"emulation.packs", "none", ""},
      {"history.enabled", "true", ""},
      {"history.entries", "100", ""},
      {"history.age", "30d", ""},
      {"log.max-size", std::to_string(log.size), "BUILDKIT_STEP_LOG_MAX_SIZE"},
      {"log.max-speed", std::to_string(log.speed), "BUILDKIT_STEP_LOG_MAX_SPEED"},
      {"gc.enabled", "true", ""},
      {"gc.max-used-space", "80%, at most 100GB", ""},
      {"gc.min-free-space", "20%", ""},
      {"gc.reserved-space", "10%, at most 10GB", ""},
      {"registry.credentials", "~/.docker and podman's", "DOCKER_CONFIG"},
  };
}

Setting store_setting(const std::string& given) {
  const auto set = [](const char* name) { return !environment_variable(name).empty(); };
  const auto origin = !given.empty()         ? "--root"
                      : set("MBUILD_ROOT")   ? "$MBUILD_ROOT"
                      : set("XDG_DATA_HOME") ? "$XDG_DATA_HOME"
                                             : "default";
  return {"store", store_root(given), origin};
}

std::vector<Setting> all_settings(const std::string& root) {
  const auto config = load_config();  // refuses what is wrong in the file
  const auto in_file =
      config.path.empty() ? std::vector<FileSetting>() : settings_in(read_file(config.path), config.path);
  auto settings = effective_settings(known_settings(), in_file, config.path, environment_variable);
  settings.insert(settings.begin(), store_setting(root));
  return settings;
}

std::string table_of(const std::vector<Setting>& settings) {
  std::size_t names = 4, values = 5;
  for (const auto& setting : settings) {
    names = std::max(names, columns_of(setting.name));
    values = std::max(values, std::min<std::size_t>(columns_of(setting.value), 40));
  }
  std::string text = fmt::format("{:<{}}  {:<{}}  FROM\n", "NAME", names, "VALUE", values);
  for (const auto& setting : settings) {
    text += fmt::format("{:<{}}  {:<{}}  {}\n", setting.name, names, setting.value, values, setting.origin);
  }
  return text;
}

std::string json_of(const std::vector<Setting>& settings) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& setting : settings) {
    list.push_back({{"name", setting.name}, {"value", setting.value}, {"from", setting.origin}});
  }
  return json_text(list) + "\n";
}

struct ConfigFlags {
  std::string root, format = "table";
};

int run_config(const ConfigFlags& flags) {
  const auto settings = all_settings(flags.root);
  if (flags.format != "json" && flags.format != "table") {
    throw usage_error(fmt::format("unknown format \"{}\"", flags.format)).with_advice("Formats are table and json.");
  }
  print("{}", flags.format == "json" ? json_of(settings) : table_of(settings));
  return 0;
}

}  // namespace

void add_config_command(Command& top) {
  auto flags = std::make_shared<ConfigFlags>();
  Command config = top.add("config", "Show what the configuration comes to, and where each value is from");
  config.value("--format=F", flags->format, "table or json");
  add_root_option(config, flags->root);
  config.run([flags] { return run_config(*flags); });
}

}  // namespace mbuild::cli
