#include "worker/inner/binfmt.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/feature.h"
#include "base/strings.h"
#include "emu/binfmt.h"
#include "worker/sandbox/exec_trace.h"
#include "worker/snapshot/mount_calls.h"

namespace mbuild::executor {

std::optional<std::string> host_handler(const platforms::Descriptor& platform, const std::string& directory) {
  const auto handlers = emu::read_handlers(directory);
  if (!handlers) return std::nullopt;
  for (const auto& handler : *handlers) {
    if (handler.enabled && handler.works_in_any_root() && emu::matches(handler, platform)) return handler.name;
  }
  return std::nullopt;
}

namespace {

// The kernel opens the emulator when it is registered, and each emulated process leads to it by /proc/PID/exe: through
// a mount that is read-only it can't be changed by whoever may write the file.
void cover_read_only(const std::string& line) {
  const auto fields = split(line, ':');  // "" name M offset magic mask interpreter flags
  if (fields.size() < 8 || !path_exists(fields[6])) return;
  const Fd file = open_file(fields[6], O_PATH);
  const Fd cover = clone_tree(file.get(), "", false);
  set_mount_attributes(cover.get(), MOUNT_ATTR_RDONLY, false);
  attach(cover.get(), file.get());
}

// Another thread may have started a process between the writing of an emulator's copy and now: it has the file open for
// writing until it executes its program, and the kernel takes no such file.
bool write_when_not_busy(int instance, const std::string& line) {
  constexpr int k_most_tries = 400;
  for (int i = 0; i < k_most_tries; ++i) {
    const Fd file = open_at(instance, "register", O_WRONLY);
    if (::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size())) return true;
    if (errno != ETXTBSY) return errno == EEXIST;
    ::usleep(5'000);
  }
  return false;
}

}  // namespace

void write_binfmt_lines(int instance, std::string_view lines) {
  for (const auto& line : split(lines, '\n')) {
    if (line.empty()) continue;
    cover_read_only(line);
    if (write_when_not_busy(instance, line)) continue;
    throw system_error(errno, fmt::format("register the emulator ({})", line.substr(0, line.find(':', 1))),
                       ExitClass::host);
  }
}

EmulationWay provide_emulation(Inner& inner, const platforms::Descriptor& platform, const std::string& line) {
  std::string reason = "switched off by MBUILD_TEST_DISABLE";
  if (!feature_disabled("binfmt-ns")) {
    try {
      inner.register_binfmt({line});
      return EmulationWay::private_instance;
    } catch (const Error& error) {
      reason = error.what();
    }
  }
  if (host_handler(platform)) return EmulationWay::host_handler;
  const auto problem = tracing_problem();
  if (problem.empty()) return EmulationWay::traced;
  reason += "; tracing: " + problem;
  throw Error(ExitClass::host, fmt::format("no way to run programs of {} here: {}", platform.name, reason))
      .with_advice(
          "let the host run them, as an administrator, once: `sudo apt-get install qemu-user-static binfmt-support`, "
          "or "
          "`docker run --privileged --rm tonistiigi/binfmt --install all`; Linux 6.7 and newer need neither");
}

}  // namespace mbuild::executor
