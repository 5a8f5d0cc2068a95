#include "cli/config/surroundings.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/config/store_root.h"

namespace mbuild::cli {
namespace {

std::string read_standard_input() {
  if (::isatty(STDIN_FILENO) == 1)
    throw Error(ExitClass::usage, "standard input is a terminal, not a build context or a Dockerfile");
  return read_all(STDIN_FILENO);
}

}  // namespace

executor::Surroundings surroundings() {
  std::error_code removed;
  return {.directory = std::filesystem::current_path(removed).string(),
          .read_input = read_standard_input,
          .output = "/dev/stdout",
          .output_is_terminal = ::isatty(STDOUT_FILENO) == 1,
          .docker_config = remote::docker_config_directory(environment_variable),
          .auth_files = remote::container_auth_files(environment_variable),
          .docker_host = environment_variable("DOCKER_HOST")};
}

std::vector<std::string> typed_words() {
  auto words = split(read_file("/proc/self/cmdline"), '\0');
  if (!words.empty() && words.back().empty()) words.pop_back();
  return words;
}

remote::CredentialSource stored_credentials() {
  return remote::stored_credentials(remote::docker_config_directory(environment_variable),
                                    remote::container_auth_files(environment_variable));
}

}  // namespace mbuild::cli
