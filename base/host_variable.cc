#include "base/host_variable.h"

#include <cstdlib>

namespace mbuild {

std::optional<std::string> host_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace mbuild
