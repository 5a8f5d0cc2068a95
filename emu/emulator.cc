#include "emu/emulator.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/host_variable.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "emu/binfmt.h"
#include "emu/elf.h"

// The order of preference: the processor itself; what the host has already arranged, because whoever set up Rosetta or
// FEX did it for their speed; QEMU, registered by mbuild for itself alone. Of the host's handlers only those with flag
// F serve, since no image holds the interpreter. A handler that is QEMU and loses argv[0] (no flag P) comes after a
// QEMU of our own: with it, programs that choose what to do by their name do the wrong thing.
namespace mbuild::emu {
namespace {

using platforms::Descriptor;
using platforms::Platform;

struct Found {
  std::string path;
  std::vector<std::string> unusable;  // "/usr/bin/qemu-aarch64 is dynamically linked"
};

std::string own_directory() {
  std::array<char, 4096> target;
  const ssize_t length = ::readlink("/proc/self/exe", target.data(), target.size());
  return length <= 0 ? "" : dir_name(std::string_view(target.data(), static_cast<std::size_t>(length)));
}

void add_unique(std::vector<std::string>& directories, std::string directory) {
  if (directory.empty() || directory.front() != '/') return;
  if (std::ranges::find(directories, directory) == directories.end()) directories.push_back(std::move(directory));
}

// Why the emulator cannot serve; "" where it can.
std::string defect(const std::string& path, const Platform& host) {
  const Fd file = open_file(path, O_RDONLY);
  const auto elf = inspect_elf_file(file.get());
  if (!elf) return "is no ELF program";
  const Descriptor* descriptor = platforms::find_descriptor(host);
  if (descriptor != nullptr && !is_of(elf->identity, *descriptor)) {
    return fmt::format("is a program for {}", describe(elf->identity));
  }
  if (elf->kind == ElfKind::dynamic_executable || elf->kind == ElfKind::pie) {
    return "is dynamically linked, and its libraries are not in the images";
  }
  return "";
}

Found find_emulator(const Descriptor& descriptor, const Platform& host, const EmulatorSearch& search) {
  Found found;
  for (const std::string& directory : search.directories) {
    for (const std::string& name : descriptor.emulators) {
      const std::string path = join_path(directory, name);
      if (::access(path.c_str(), R_OK | X_OK) != 0) continue;
      const std::string reason = defect(path, host);
      if (reason.empty()) {
        found.path = path;
        return found;
      }
      found.unusable.push_back(fmt::format("{} {}", path, reason));
    }
  }
  return found;
}

bool is_qemu(const Handler& handler) { return base_name(handler.interpreter).starts_with("qemu-"); }

std::optional<Execution> by_handler(const std::vector<Handler>& handlers, const Descriptor& descriptor,
                                    bool must_keep_argv0) {
  for (const Handler& handler : handlers) {
    if (!handler.enabled || !handler.works_in_any_root() || !matches(handler, descriptor)) continue;
    if (must_keep_argv0 && is_qemu(handler) && !handler.keeps_argv0()) continue;
    return Execution{Execution::Kind::host_handler, handler.interpreter, handler.name};
  }
  return std::nullopt;
}

bool names(const std::vector<std::string>& list, const std::string& name) {
  return std::ranges::find(list, name) != list.end();
}

// Nothing can be listed where binfmt_misc is not mounted, as in most containers; a trial tells whether there is a
// handler all the same.
std::optional<Execution> by_trial(const Descriptor& descriptor, const Descriptor* host, bool handlers_listed) {
  const bool compatible = host != nullptr && names(descriptor.native_on, host->name);
  if (!compatible && handlers_listed) return std::nullopt;
  if (!can_execute(descriptor)) return std::nullopt;
  return Execution{compatible ? Execution::Kind::compatible : Execution::Kind::host_handler, "", ""};
}

// "qemu-aarch64-static" -> "aarch64".
std::string qemu_target(const Descriptor& descriptor) {
  const std::string name = descriptor.emulators.empty() ? "" : descriptor.emulators.back();
  return name.starts_with("qemu-") ? name.substr(5) : name;
}

Error no_emulator(const Descriptor& descriptor, const Platform& host, const EmulatorSearch& search,
                  const Found& found) {
  std::string message = fmt::format("this {} host has no emulator for {}", to_string(host), descriptor.name);
  if (!search.private_registration) {
    message = fmt::format("this {} host has no binfmt_misc handler for {} and does not let mbuild register one",
                          to_string(host), descriptor.name);
  }
  for (const std::string& reason : found.unusable) message += fmt::format(" ({})", reason);
  const std::string target = qemu_target(descriptor);
  std::string advice = fmt::format(
      "Install QEMU's statically linked user-mode emulator: apt-get install qemu-user-static (Debian, Ubuntu), "
      "dnf install qemu-user-static (Fedora), apk add qemu-{} (Alpine)",
      target);
  if (search.private_registration) {
    advice += fmt::format("; or put {} into a directory that MBUILD_QEMU_DIR names.", descriptor.emulators.front());
  } else {
    advice +=
        ". The package registers it with the host; an administrator can do the same by hand as docs/emulation.md says.";
  }
  return Error(ExitClass::host, message).with_advice(advice);
}

// An image of any variant of the host's architecture is run natively; what the processor lacks shows as SIGILL.
bool is_native(const Platform& step, const Platform& host) {
  return step.os == host.os && step.arch == host.arch &&
         (step.arch != "arm" || satisfies(step, host) || step.variant == host.variant);
}

}  // namespace

EmulatorSearch default_search() {
  EmulatorSearch search;
  add_unique(search.directories, host_variable("MBUILD_QEMU_DIR").value_or(""));
  add_unique(search.directories, own_directory());
  for (std::string& directory : split(host_variable("PATH").value_or(""), ':'))
    add_unique(search.directories, std::move(directory));
  for (const char* directory : {"/usr/bin", "/usr/local/bin", "/usr/libexec/qemu-binfmt"}) {
    add_unique(search.directories, directory);
  }
  return search;
}

std::string machine_name(const Platform& platform) {
  const Descriptor* descriptor = platforms::find_descriptor(platform);
  if (descriptor == nullptr) return "";
  if (platform.arch == "386") return "i686";
  if (platform.arch == "arm") return "armv7l";
  return qemu_target(*descriptor);
}

namespace {
constexpr std::string_view k_with_programs = ", with native programs";
constexpr std::string_view k_with_compilers = ", with native programs and compilers";
}  // namespace

std::string with_native_use(const std::string& emulator, NativeUse use) {
  if (use == NativeUse::none) return emulator;
  return emulator + std::string(use == NativeUse::compilers ? k_with_compilers : k_with_programs);
}

NativeUse native_use(std::string_view emulator) {
  if (emulator.ends_with(k_with_compilers)) return NativeUse::compilers;
  return emulator.ends_with(k_with_programs) ? NativeUse::programs : NativeUse::none;
}

Execution choose(const Platform& step, const Platform& host, const EmulatorSearch& search) {
  if (is_native(step, host)) return {};
  const Descriptor* const descriptor = platforms::find_descriptor(step);
  if (descriptor == nullptr) {
    throw Error(ExitClass::host,
                fmt::format("{} programs cannot be run on this {} host", to_string(step), to_string(host)))
        .with_advice("mbuild emulates Linux platforms only; a stage without RUN can be built for any platform.");
  }
  const auto handlers = read_handlers(search.handlers_directory);
  const std::vector<Handler> listed = handlers.value_or(std::vector<Handler>());
  if (auto execution = by_handler(listed, *descriptor, search.private_registration)) return *execution;
  if (search.trial) {
    auto execution = by_trial(*descriptor, platforms::find_descriptor(host), handlers.has_value());
    if (execution) return *execution;
  }
  const Found found = find_emulator(*descriptor, host, search);
  if (search.private_registration && !found.path.empty()) return {Execution::Kind::qemu, found.path, ""};
  if (auto execution = by_handler(listed, *descriptor, false)) return *execution;
  throw no_emulator(*descriptor, host, search, found);
}

std::optional<Execution> choose_own(const Platform& step, const Platform& host, const EmulatorSearch& search) {
  const Descriptor* const descriptor = platforms::find_descriptor(step);
  if (descriptor == nullptr || !search.private_registration) return std::nullopt;
  const Found found = find_emulator(*descriptor, host, search);
  if (found.path.empty()) return std::nullopt;
  return Execution{Execution::Kind::qemu, found.path, ""};
}

std::string describe(const Execution& execution) {
  switch (execution.kind) {
    case Execution::Kind::native:
      return "native";
    case Execution::Kind::compatible:
      return "compatible";
    case Execution::Kind::host_handler:
      if (execution.handler.empty()) return "host handler";
      return fmt::format("host handler {} ({})", execution.handler, execution.emulator_path);
    case Execution::Kind::qemu:
      break;
  }
  return execution.emulator_path;
}

std::string emulator_version(const Execution& execution) {
  if (execution.emulator_path.empty()) return "";
  try {
    const SubprocessResult result = run_program({execution.emulator_path, "--version"});
    return result.status == 0 ? std::string(trim(result.output.substr(0, result.output.find('\n')))) : "";
  } catch (const Error&) {
    return "";  // a handler's interpreter may lie in another mount namespace
  }
}

}  // namespace mbuild::emu
