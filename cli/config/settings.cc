#include "cli/config/settings.h"

#include <algorithm>

namespace mbuild::cli {

std::vector<Setting> effective_settings(const std::vector<KnownSetting>& known, const std::vector<FileSetting>& in_file,
                                        const std::string& path,
                                        const std::function<std::string(const char*)>& variable_of) {
  std::vector<Setting> settings;
  for (const auto& setting : known) {
    const auto variable = setting.variable.empty() ? "" : variable_of(setting.variable.c_str());
    const auto found = std::ranges::find(in_file, setting.name, &FileSetting::name);
    if (!variable.empty()) {
      settings.push_back({setting.name, variable, "$" + setting.variable});
    } else if (found != in_file.end()) {
      settings.push_back({setting.name, found->value, path});
    } else {
      settings.push_back({setting.name, setting.fallback, "default"});
    }
  }
  for (const auto& setting : in_file) {
    const bool is_told = std::ranges::find(known, setting.name, &KnownSetting::name) != known.end();
    if (!is_told) settings.push_back({setting.name, setting.value, path});
  }
  return settings;
}

}  // namespace mbuild::cli
