#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bake/compose/project.h"
#include "bake/compose/service.h"
#include "base/error.h"

using namespace mbuild;
using namespace mbuild::bake;

// Whatever the bytes, a compose file becomes targets or an error of the user's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // It may name other files, and those of this machine are not what is tried here.
  if (text.find("dev/") != std::string::npos || text.find("proc/") != std::string::npos) return 0;
  Outside outside;
  outside.variable = [](const std::string& name) -> std::optional<std::string> {
    return name.empty() || name[0] == 'E' ? std::nullopt : std::optional("value of " + name);
  };
  outside.read_input = [] { return std::string(); };
  outside.directory = "/nowhere";
  outside.platform = "linux/amd64";
  try {
    compose::definition_of(compose::load_project({{.name = "compose.yaml", .text = text, .directory = {}}}, outside));
  } catch (const Error& error) {
    if (error.message.empty() || error.exit_class == ExitClass::internal) std::abort();
  }
  return 0;
}
