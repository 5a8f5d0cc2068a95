#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/config/config_section.h"

namespace mbuild::cli {

// A value that counts, and where it comes from: "default", "$NAME", or the configuration file's path.
struct Setting {
  std::string name, value, origin;
};

// What a setting is where nobody says anything, and the variable that counts more than the file.
struct KnownSetting {
  std::string name, fallback, variable;
};

// Every known setting, then what else the file has. `variable_of` gives a variable's value, "" where it is not set.
std::vector<Setting> effective_settings(const std::vector<KnownSetting>& known, const std::vector<FileSetting>& in_file,
                                        const std::string& path,
                                        const std::function<std::string(const char*)>& variable_of);

}  // namespace mbuild::cli
