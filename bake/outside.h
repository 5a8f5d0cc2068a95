#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

// What a definition may ask of the world around it, and what the command line says of it.
namespace mbuild::bake {

// What a path begins with that is below the working directory, wherever the definition is from.
inline constexpr std::string_view k_here = "cwd://";

struct Outside {
  std::function<std::optional<std::string>(const std::string& name)> variable;  // of the user's environment
  std::function<std::string()> read_input;                                      // all of the standard input
  std::map<std::string, std::string> given;                                     // --var
  std::string directory;                                                        // that the user works in, absolute
  std::string home;                                                             // "": none
  std::string command_context = "cwd://";                                       // BAKE_CMD_CONTEXT
  std::string platform;                                                         // of the host: "linux/amd64"
  bool remote = false;  // the definition comes from an address, and so do contexts without "cwd://"
};

// The variable's words for true or false; `otherwise` where it is not set or empty. Throws Error (usage) that names it
// for others.
bool switch_of(const Outside& outside, const std::string& name, bool otherwise = false);
// What --var says, else the environment, unless BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP keeps that out.
std::optional<std::string> override_of(const Outside& outside, const std::string& name);
// Whether the environment is not kept out by that.
bool may_look_up(const Outside& outside);
// The environment's, unless it is kept out.
std::optional<std::string> environment_of(const Outside& outside, const std::string& name);

// BUILDX_BAKE_FILE_RELATIVE_PATHS: contexts are relative to the file that sets them.
bool has_file_relative_paths(const Outside& outside);
// True for what is no path relative to the working directory: absolute ones, addresses, "target:X", "cwd://X" ...
bool is_placed(const std::string& path);
// `path` as seen from `directory` where it is not placed.
std::string path_from(const std::string& directory, const std::string& path);

}  // namespace mbuild::bake
