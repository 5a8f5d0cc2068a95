#include "containers/sockets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::containers {
namespace {

// By the descriptor of the directory, which has to be open as long as the address is used.
std::string short_path(const Fd& directory, const std::string& path) {
  return fmt::format("/proc/self/fd/{}/{}", directory.get(), base_name(path));
}

sockaddr_un socket_address(const std::string& path) {
  sockaddr_un out = {};
  out.sun_family = AF_UNIX;
  path.copy(out.sun_path, sizeof out.sun_path - 1);
  return out;
}

}  // namespace

Fd listen_at(const std::string& path) {
  Fd out(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const Fd directory = open_file(dir_name(path), O_PATH | O_DIRECTORY);
  const std::string name = short_path(directory, path);
  const auto address = socket_address(name);
  ::unlink(name.c_str());  // of its last life
  if (!out || ::bind(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(out.get(), SOMAXCONN) < 0) {
    throw system_error(errno, "listen at " + path, ExitClass::host);
  }
  return out;
}

Fd connect_to(const std::string& path) {
  const Fd directory(::open(dir_name(path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Fd out(directory ? ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) : -1);
  const auto address = socket_address(short_path(directory, path));
  if (!out || ::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) return {};
  return out;
}

}  // namespace mbuild::containers
