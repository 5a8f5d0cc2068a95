#include "cli/config/store_root.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/strings.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {
namespace {

constexpr std::size_t k_longest_root = 3800;  // of 4096 that a path may have, names in the store take the rest
constexpr const char* k_choose = "--root DIR (or $MBUILD_ROOT) chooses another.";
constexpr const char* k_below_home = "/.local/share/mbuild";

bool is_home(const std::string& home) { return !home.empty() && clean_path(home) != "/"; }

// Of an account that the system knows.
std::string home_of_account() {
  passwd entry, *found = nullptr;
  std::string buffer(16384, '\0');
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return "";
  return found->pw_dir == nullptr ? "" : found->pw_dir;
}

// True when the directory is there, or can be made, and written.
bool can_be_used(std::string path) {
  for (; path.size() > 1; path = dir_name(path)) {
    if (::access(path.c_str(), W_OK | X_OK) == 0) return true;
    if (errno != ENOENT) return false;
  }
  return ::access("/", W_OK | X_OK) == 0;
}

// A directory in a place where everybody may write is used if it is this user's alone.
bool is_own(const std::string& path) {
  struct stat status;
  if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) return false;
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() &&
         (status.st_mode & 022) == 0;
}

std::string without_home(const std::string& reason) {
  const auto tell = [&](const std::string& place) {
    say("NOTE: the store is {}, since {}. {}\n", place, reason, k_choose);
    return place;
  };
  const std::string account = home_of_account();
  if (is_home(account) && can_be_used(account + k_below_home)) return tell(account + k_below_home);
  if (::geteuid() == 0 && can_be_used("/var/lib/mbuild")) return tell("/var/lib/mbuild");
  for (const char* parent : {"/var/tmp", "/tmp"}) {
    const std::string place = fmt::format("{}/mbuild-{}", parent, ::geteuid());
    if (is_own(place)) return tell(place);
  }
  throw Error(ExitClass::store, fmt::format("there is no place for the store: {}", reason)).with_advice(k_choose);
}

std::string default_root() {
  if (const auto root = environment_variable("MBUILD_ROOT"); !root.empty()) return root;
  if (const auto data = environment_variable("XDG_DATA_HOME"); !data.empty()) return data + "/mbuild";
  const auto home = environment_variable("HOME");
  if (home.empty()) return without_home("$HOME is not set");
  if (!is_home(home)) return without_home(fmt::format("$HOME is {}", home));
  if (!can_be_used(home + k_below_home)) return without_home(fmt::format("{} can't be written", home));
  return home + k_below_home;
}

}  // namespace

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void add_root_option(Command& command, std::string& root) {
  command.value("--root=DIR", root, "Directory of the store (default: $MBUILD_ROOT or ~/.local/share/mbuild)");
}

std::string store_root(const std::string& given) {
  const std::string root = given.empty() ? default_root() : given;
  std::error_code failure;
  const auto path = std::filesystem::absolute(root, failure);
  if (failure) {
    throw usage_error(fmt::format("--root {}: the current directory can't be told: {}", root, failure.message()))
        .with_advice("It may have been removed: go to another, or name the store by its full path.");
  }
  std::string normal = path.lexically_normal().string();
  if (normal.size() > k_longest_root) {
    throw usage_error(fmt::format("the path of the store has {} bytes, and {} are possible: {}", normal.size(),
                                  k_longest_root, normal))
        .with_advice(k_choose);
  }
  return normal;
}

}  // namespace mbuild::cli
