#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The tools that the go command starts: compiler, assembler and linker. They make code for any platform, the one that
// their environment names, and the same code wherever they run.
namespace mbuild::executor {

// The path below `native`, an open root directory of the host's platform, of the tool that a root directory has at a
// resolved path (".../pkg/tool/linux_arm64/compile"): of the same version of the distribution's package, or of the same
// release of Go, which is known by its file VERSION and the time there, which all files of a release have. Nothing
// where the path is of no such tool, or there is no native one that is known to be the same.
std::optional<std::string> native_go_tool(int root, const std::string& path, int native);

// Whether one is asked for what only the tool of the emulated platform answers, by its arguments and its environment:
// the go command always says there what platform it is for.
bool needs_emulated_go_tool(const std::vector<std::string>& arguments, const std::vector<std::string>& environment);

}  // namespace mbuild::executor
