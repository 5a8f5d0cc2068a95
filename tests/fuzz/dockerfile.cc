#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "frontend/dockerfile/syntax.h"

// Whatever the bytes, parsing ends with a tree or with a refusal that has a message; ONBUILD payloads of an accepted
// file can be read again or are refused in the same way.
namespace {

using namespace mbuild::frontend::dockerfile;

void read_triggers(const Dockerfile& file) {
  for (const auto& stage : file.stages) {
    for (const auto& instruction : stage.instructions) {
      const auto* on_build = std::get_if<OnBuildInstruction>(&instruction.body);
      if (on_build == nullptr) continue;
      try {
        parse_trigger(on_build->text);
      } catch (const mbuild::Error& error) {
        if (error.message.empty()) std::abort();
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto file = parse_dockerfile(text, "Dockerfile");
    if (file.stages.empty()) std::abort();
    read_triggers(file);
  } catch (const mbuild::Error& error) {
    if (error.message.empty() || error.exit_class != mbuild::ExitClass::usage) std::abort();
  }
  return 0;
}
