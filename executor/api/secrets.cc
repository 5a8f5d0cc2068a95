#include "executor/api/secrets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild::executor {

std::optional<std::string> read_secret(const TargetRequest& request, const std::string& id) {
  for (const auto& secret : request.secrets) {
    if (secret.id == id) return secret.value ? *secret.value : read_file(secret.file);
  }
  return std::nullopt;
}

std::optional<std::string> read_credential(const TargetRequest& request, const std::string& id) {
  auto value = read_secret(request, id);
  if (value && value->empty()) value.reset();
  return value;
}

void check_secrets(const TargetRequest& request) {
  for (const auto& secret : request.secrets) {
    if (secret.value) continue;
    struct stat status;
    int code = 0;
    if (::stat(secret.file.c_str(), &status) < 0) {
      code = errno;
    } else if (S_ISDIR(status.st_mode)) {
      code = EISDIR;
    } else if (::faccessat(AT_FDCWD, secret.file.c_str(), R_OK, AT_EACCESS) < 0) {
      code = errno;
    }
    if (code == 0) continue;
    throw Error(ExitClass::usage, system_error(code, fmt::format("secret {}: open {}", secret.id, secret.file)).message)
        .with_advice(fmt::format("Name a file with --secret id={},src=FILE, or a variable of the environment with "
                                 "--secret id={},env=NAME.",
                                 secret.id, secret.id));
  }
}

}  // namespace mbuild::executor
