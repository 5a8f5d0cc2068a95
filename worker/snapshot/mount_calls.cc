#include "worker/snapshot/mount_calls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::executor {
std::string filesystem_error(int context, int code) {
  std::string out;
  char buffer[512];
  for (;;) {
    const ssize_t n = ::read(context, buffer, sizeof buffer);  // one message a read: "e overlay: ..."
    if (n <= 2) break;
    if (!out.empty()) out += "; ";
    out += trim(std::string_view(buffer + 2, static_cast<std::size_t>(n) - 2));
  }
  return out.empty() ? std::strerror(code) : fmt::format("{} ({})", std::strerror(code), out);
}

Fd make_filesystem(const char* type, const std::vector<FsOption>& options, unsigned attributes) {
  const Fd context(::fsopen(type, FSOPEN_CLOEXEC));
  if (!context) throw system_error(errno, fmt::format("open file system type {}", type), ExitClass::host);
  const auto fail = [&](std::string_view what) {
    const int code = errno;
    return Error(ExitClass::host, fmt::format("mount {}: {}: {}", type, what, filesystem_error(context.get(), code)));
  };
  for (const auto& option : options) {
    const bool flag = option.value.empty();
    if (::fsconfig(context.get(), flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, option.key,
                   flag ? nullptr : option.value.c_str(), 0) < 0) {
      throw OptionRefused(fail(option.key), option.key);
    }
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) throw fail("create");
  Fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
  if (!mount) throw fail("mount");
  return mount;
}

Fd clone_tree(int directory, const std::string& path, bool recursive) {
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u);
  Fd tree(::open_tree(directory, path.c_str(), flags));
  if (!tree) throw system_error(errno, fmt::format("clone the mount tree {}", path), ExitClass::host);
  return tree;
}

void set_mount_attributes(int mount, std::uint64_t attributes, bool recursive) {
  mount_attr attr = {};
  attr.attr_set = attributes;
  if (::mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof attr) < 0) {
    throw system_error(errno, "set mount attributes", ExitClass::host);
  }
}

void attach(int mount, int target) {
  if (::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
    throw system_error(errno, "attach a mount", ExitClass::host);
  }
}

std::string fd_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

}  // namespace mbuild::executor
