#include "cli/store_root.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace mbuild::cli {
namespace {

std::string default_root() {
  if (const auto root = environment_variable("MBUILD_ROOT"); !root.empty()) return root;
  if (const auto data = environment_variable("XDG_DATA_HOME"); !data.empty()) return data + "/mbuild";
  if (const auto home = environment_variable("HOME"); !home.empty()) return home + "/.local/share/mbuild";
  return "/var/lib/mbuild";
}

}  // namespace

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void add_root_option(Command& command, std::string& root) {
  command.value("--root", root, "Directory of the store (default: $MBUILD_ROOT or ~/.local/share/mbuild)");
}

std::string store_root(const std::string& given) {
  return std::filesystem::absolute(given.empty() ? default_root() : given).lexically_normal().string();
}

}  // namespace mbuild::cli
