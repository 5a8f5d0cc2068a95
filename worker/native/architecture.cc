#include "worker/native/architecture.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "emu/accel/piece/protocol.h"
#include "worker/native/linking.h"

namespace mbuild::executor {

std::string_view debian_architecture(std::string_view machine) {
  constexpr std::pair<std::string_view, std::string_view> k_names[] = {
      {"aarch64", "arm64"},   {"loongarch64", "loong64"}, {"mips64", "mips64el"},
      {"ppc64le", "ppc64el"}, {"riscv64", "riscv64"},     {"x86_64", "amd64"}};
  for (const auto& [name, architecture] : k_names) {
    if (name == machine) return architecture;
  }
  return "";
}

std::string with_architecture(std::string native, std::string_view own, std::string_view other) {
  auto out = native.contains(std::string(own) + '\0') ? with_text(std::move(native), own, other) : std::nullopt;
  if (!out) throw Error(ExitClass::host, "it tells of the architecture that it was built for");
  return std::move(*out);
}

bool takes_architecture(std::string_view library) {
  const auto has = [&](std::string_view name) { return exported_function(library, name).has_value(); };
  return has(MBUILD_ACCEL_APT_INIT_CONFIG) && has(MBUILD_ACCEL_APT_MAKE_HEADER) &&
         (has(MBUILD_ACCEL_APT_SET_BY_VIEW) || has(MBUILD_ACCEL_APT_SET_BY_STRING));
}

}  // namespace mbuild::executor
