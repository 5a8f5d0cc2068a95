#include "emu/survey.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/feature.h"
#include "base/strings.h"
#include "emu/accel/inject.h"

namespace mbuild::emu {
namespace {

using platforms::Descriptor;
using platforms::Platform;

// What the processor says of itself; on the architectures that have no levels, nothing.
bool processor_has([[maybe_unused]] const std::string& level) {
#if defined(__x86_64__)
  if (level == "v2") return __builtin_cpu_supports("x86-64-v2") != 0;
  if (level == "v3") return __builtin_cpu_supports("x86-64-v3") != 0;
  if (level == "v4") return __builtin_cpu_supports("x86-64-v4") != 0;
#endif
  return false;
}

std::vector<std::string> variants_of_processor(const Descriptor& descriptor) {
  std::vector<std::string> out;
  for (const auto& variant : descriptor.variants) {
    if (processor_has(variant)) out.push_back(variant);
  }
  return out;
}

int rank(const Support& support) {
  if (!support.how) return 2;
  return support.how->kind == Execution::Kind::native ? 0 : 1;
}

}  // namespace

std::string version_number(const std::string& line) {
  constexpr std::string_view k_word = " version ";
  const auto at = line.find(k_word);
  if (!line.starts_with("qemu-") || at == line.npos) return line;
  const auto rest = line.substr(at + k_word.size());
  return rest.substr(0, rest.find(' '));
}

std::string acceleration_obstacle(const Descriptor& descriptor, const Execution& execution) {
  if (!base_name(execution.emulator_path).starts_with("qemu-")) return "the emulator is not QEMU";
  if (!descriptor.little_endian) return "another order of bytes";
  if (feature_disabled("accel")) return "switched off by MBUILD_TEST_DISABLE";
  return is_layout_understood(execution.emulator_path) ? "" : "this QEMU's layout is not understood";
}

std::vector<Support> survey(const Platform& host, const EmulatorSearch& search) {
  std::vector<Support> out;
  std::map<std::string, std::string> versions;  // by the emulator's path
  for (const auto& descriptor : platforms::all_descriptors()) {
    auto& support = out.emplace_back();
    support.descriptor = &descriptor;
    try {
      support.how = choose(descriptor.platform, host, search);
    } catch (const Error& error) {
      support.problem = error.message;
      support.remedy = error.advice;
      continue;
    }
    const auto& path = support.how->emulator_path;
    if (support.how->kind == Execution::Kind::native) support.variants = variants_of_processor(descriptor);
    if (path.empty()) continue;
    if (!versions.contains(path)) versions[path] = version_number(emulator_version(*support.how));
    support.version = versions[path];
    support.obstacle = acceleration_obstacle(descriptor, *support.how);
    support.accelerated = support.obstacle.empty();
  }
  std::ranges::stable_sort(out, {}, rank);
  return out;
}

}  // namespace mbuild::emu
