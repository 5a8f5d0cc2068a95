#include "worker/inner/lazy_inner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "base/error.h"
#include "base/feature.h"
#include "base/strings.h"
#include "emu/accel/inject.h"
#include "emu/binfmt.h"
#include "emu/emulator.h"
#include "worker/inner/binfmt.h"

namespace mbuild::executor {

bool is_foreign(const platforms::Platform& platform) {
  const auto& host = platforms::host_platform();
  if (platform.os == host.os && platform.arch == host.arch) return false;
  const auto* descriptor = platforms::find_descriptor(platform);
  if (descriptor == nullptr) return true;
  const auto& native_on = descriptor->native_on;
  return std::find(native_on.begin(), native_on.end(), platforms::to_string(host)) == native_on.end();
}

LazyInner::LazyInner(IdMap map, std::string emulators, Begin begin)
    : map_(std::move(map)), emulators_at_(std::move(emulators)) {
  if (begin == Begin::when_needed) return;
  ahead_ = std::jthread([this] {
    try {
      get();
    } catch (const std::exception&) {
      // Started again by the next one, who is told.
    }
  });
}

Inner& LazyInner::get() {
  const std::lock_guard lock(mutex_);
  if (!inner_) start();
  return *inner_;
}

bool LazyInner::started() const {
  const std::lock_guard lock(mutex_);
  return inner_ != nullptr;
}

void LazyInner::end() {
  if (ahead_.joinable()) ahead_.join();
  const std::lock_guard lock(mutex_);
  inner_.reset();
  hosts_root_.reset();
}

// Files are unpacked, copied and written without namespaces, too: layers are tars.
void LazyInner::start() {
  try {
    inner_ = Inner::start({.map = map_, .join = join_ ? join_.get() : -1});
  } catch (const Error& error) {
    // With one id a file means the same with namespaces and without.
    if (error.exit_class != ExitClass::host || !map_.single || join_) throw;
    inner_ = Inner::start({.map = map_, .namespaces = false});
    without_namespaces_ = error;
  }
}

Inner& LazyInner::get_for_run() {
  Inner& inner = get();
  const std::lock_guard lock(mutex_);
  if (without_namespaces_) throw Error(*without_namespaces_).with_context("a RUN needs namespaces of its own");
  return inner;
}

Inner& LazyInner::get_hosts_root() {
  const std::lock_guard lock(mutex_);
  if (!hosts_root_) hosts_root_ = Inner::start({.map = map_, .user_namespace = false});
  return *hosts_root_;
}

std::string LazyInner::emulate(const platforms::Platform& platform) {
  if (!is_foreign(platform)) return "";
  get_for_run();
  const std::lock_guard lock(mutex_);
  const auto known = emulators_.find(platform);
  if (known != emulators_.end() && !is_gone(platform)) return known->second;
  on_host_.erase(platform);
  return emulators_[platform] = arrange(platform);
}

std::vector<Emulator> LazyInner::traced_emulators() {
  const std::lock_guard lock(mutex_);
  std::vector<Emulator> out;
  for (const auto& [name, emulator] : traced_) out.push_back(emulator);
  return out;
}

bool LazyInner::has_lost_handler(const platforms::Platform& platform) {
  const std::lock_guard lock(mutex_);
  return is_gone(platform);
}

// Whoever made a registration of the host may remove it at any time.
bool LazyInner::is_gone(const platforms::Platform& platform) const {
  const auto* descriptor = on_host_.contains(platform) ? platforms::find_descriptor(platform) : nullptr;
  return descriptor != nullptr && !emu::can_execute(*descriptor);
}

// The copy of QEMU that asks for native equivalents of programs; QEMU itself where none can be made.
std::string LazyInner::asking_copy(const std::string& emulator) const {
  if (emulators_at_.empty() || feature_disabled("accel") || !base_name(emulator).starts_with("qemu-")) return emulator;
  try {
    const auto copy = emu::accelerated_emulator(emulator, emulators_at_);
    return copy.empty() ? emulator : copy;
  } catch (const Error&) {
    return emulator;
  }
}

std::string LazyInner::arrange(const platforms::Platform& platform) {
  const auto search = emu::default_search();
  auto execution = emu::choose(platform, platforms::host_platform(), search);
  const auto* descriptor = platforms::find_descriptor(platform);
  if (descriptor == nullptr) return emu::describe(execution);
  const bool is_host_handler = execution.kind == emu::Execution::Kind::host_handler;
  if (is_host_handler && execution.emulator_path.empty()) {  // not listed here: nothing to register
    on_host_.insert(platform);
  } else if (!execution.emulator_path.empty()) {
    // The interpreter of a handler may lie in another root, where it can't be opened again.
    if (is_host_handler && ::access(execution.emulator_path.c_str(), R_OK | X_OK) < 0) {
      if (const auto own = emu::choose_own(platform, platforms::host_platform(), search)) execution = *own;
    }
    const auto line = emu::registration_line(*descriptor, asking_copy(execution.emulator_path));
    const auto way = provide_emulation(*inner_, *descriptor, line);
    if (way == EmulationWay::host_handler) on_host_.insert(platform);
    if (way == EmulationWay::traced) {
      traced_[descriptor->name] = {descriptor->binfmt_magic, descriptor->binfmt_mask, execution.emulator_path};
    }
  }
  const auto version = emu::emulator_version(execution);
  return version.empty() ? emu::describe(execution) : fmt::format("{}, {}", emu::describe(execution), version);
}

}  // namespace mbuild::executor
