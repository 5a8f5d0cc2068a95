#include "bake/outside.h"

#include <fmt/format.h>

#include "bake/entries.h"
#include "base/bool_word.h"
#include "base/error.h"
#include "base/strings.h"
#include "executor/sources/remote_context.h"

namespace mbuild::bake {

bool switch_of(const Outside& outside, const std::string& name, bool otherwise) {
  const auto text = outside.variable(name);
  if (!text || text->empty()) return otherwise;
  if (const auto value = bool_word(*text)) return *value;
  throw usage_error(fmt::format("invalid value of {}: \"{}\" is neither true nor false", name, *text))
      .with_advice(fmt::format("{}=1 turns it on, {}=0 off.", name, name));
}

bool may_look_up(const Outside& outside) { return !switch_of(outside, "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP"); }

std::optional<std::string> environment_of(const Outside& outside, const std::string& name) {
  if (!may_look_up(outside)) return std::nullopt;
  return outside.variable(name);
}

std::optional<std::string> override_of(const Outside& outside, const std::string& name) {
  if (const auto found = outside.given.find(name); found != outside.given.end()) return found->second;
  return environment_of(outside, name);
}

bool has_file_relative_paths(const Outside& outside) { return switch_of(outside, "BUILDX_BAKE_FILE_RELATIVE_PATHS"); }

bool is_placed(const std::string& path) {
  return path.starts_with('/') || path.find("://") != std::string::npos || path.starts_with("target:") ||
         executor::is_remote(path);
}

std::string path_from(const std::string& directory, const std::string& path) {
  if (directory.empty() || directory == "." || is_placed(path)) return path;
  return join_path(directory, path);
}

}  // namespace mbuild::bake
