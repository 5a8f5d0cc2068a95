#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "frontend/dockerfile/mount.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mbuild::frontend::dockerfile;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto guarded = [](auto act) {
    try {
      act();
    } catch (const mbuild::Error& error) {
      if (error.exit_class != mbuild::ExitClass::usage || error.message.empty()) std::abort();
    }
  };
  guarded([&] {
    const auto mount = parse_mount(text);
    if (mount.sharing && mount.type != MountType::cache) std::abort();
  });
  guarded([&] { mount_from(text); });
  guarded([&] { parse_device(text); });
  return 0;
}
