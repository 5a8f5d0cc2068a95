#include "worker/native/go_tools.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "base/clock.h"
#include "base/fd.h"
#include "files/root_path.h"
#include "worker/native/packages.h"
#include "worker/native/root_files.h"

namespace mbuild::executor {
namespace {

#if defined(__aarch64__)
constexpr std::string_view k_native_directory = "linux_arm64";
#else
constexpr std::string_view k_native_directory = "linux_amd64";
#endif
constexpr std::string_view k_tools[] = {"asm", "compile", "link"};
constexpr std::string_view k_place = "/pkg/tool/linux_";

// Debian has a package for each version, which is in the directory's name: usr/lib/go-1.24.
std::string package_of(std::string_view go_root) {
  const auto name = go_root.substr(go_root.rfind('/') + 1);
  return name.starts_with("go-") ? fmt::format("golang-{}-go", name.substr(3)) : "";
}

// When the release was made, "" where that is not known: VERSION has it in a line "time 2024-07-01T20:10:53Z".
std::string_view release_time(std::string_view version) {
  constexpr std::string_view k_time = "\ntime ";
  const auto at = version.find(k_time);
  if (at == version.npos) return "";
  const auto text = version.substr(at + k_time.size());
  return text.substr(0, text.find('\n'));
}

bool is_of_time(int root, const std::string& path, std::string_view time) {
  const Fd file = try_open_resolved(root, path, O_PATH);
  struct stat status;
  if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)) return false;
  return has_rfc3339(status.st_mtim.tv_sec) && rfc3339(std::int64_t{status.st_mtim.tv_sec}) == time;
}

}  // namespace

std::optional<std::string> native_go_tool(int root, const std::string& path, int native) {
  const auto place = path.rfind(k_place);
  const std::string name = resolved_name(path);
  if (place == path.npos || std::ranges::find(k_tools, name) == std::end(k_tools)) return std::nullopt;
  const std::string go_root = path.substr(0, place);
  if (path.find('/', place + k_place.size()) + 1 != path.size() - name.size()) return std::nullopt;
  const std::string own = fmt::format("{}/pkg/tool/{}/{}", go_root, k_native_directory, name);
  if (const auto packaged = as_packaged(root, path, package_of(go_root)))
    return is_as_packaged(native, own, *packaged) ? std::optional(own) : std::nullopt;
  const std::string version = read_sane(root, go_root + "/VERSION");
  const auto time = release_time(version);
  if (time.empty() || read_sane(native, go_root + "/VERSION") != version) return std::nullopt;
  return is_of_time(root, path, time) && is_of_time(native, own, time) ? std::optional(own) : std::nullopt;
}

bool needs_emulated_go_tool(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  const auto names = [&](std::string_view variable) {
    return std::ranges::any_of(
        environment, [&](std::string_view one) { return one.starts_with(variable) && one.size() > variable.size(); });
  };
  const auto tells = [](std::string_view one) {
    return one.starts_with("-V") || one.starts_with("-h") || one.starts_with("--h") || one == "-d=help";
  };
  return arguments.empty() || std::ranges::any_of(arguments, tells) || !names("GOARCH=") || !names("GOOS=");
}

}  // namespace mbuild::executor
