#include "executor/lazy_inner.h"

#include <algorithm>

#include "base/error.h"
#include "emu/binfmt.h"
#include "emu/emulator.h"
#include "executor/inner_binfmt.h"

namespace mbuild::executor {

bool is_foreign(const platforms::Platform& platform) {
  const auto& host = platforms::host_platform();
  if (platform.os == host.os && platform.arch == host.arch) return false;
  const auto* descriptor = platforms::find_descriptor(platform);
  if (descriptor == nullptr) return true;
  const auto& native_on = descriptor->native_on;
  return std::find(native_on.begin(), native_on.end(), platforms::to_string(host)) == native_on.end();
}

Inner& LazyInner::get() {
  const std::lock_guard lock(mutex_);
  if (!inner_) inner_ = Inner::start({.map = map_});
  return *inner_;
}

std::string LazyInner::emulate(const platforms::Platform& platform) {
  if (!is_foreign(platform)) return "";
  get();
  const std::lock_guard lock(mutex_);
  const auto known = emulators_.find(platform);
  return known != emulators_.end() ? known->second : emulators_[platform] = arrange(platform);
}

std::string LazyInner::arrange(const platforms::Platform& platform) {
  const auto execution = emu::choose(platform, platforms::host_platform(), emu::default_search());
  const auto* descriptor = platforms::find_descriptor(platform);
  if (descriptor != nullptr && !execution.emulator_path.empty()) {
    provide_emulation(*inner_, *descriptor, emu::registration_line(*descriptor, execution.emulator_path));
  }
  return emu::describe(execution);
}

}  // namespace mbuild::executor
