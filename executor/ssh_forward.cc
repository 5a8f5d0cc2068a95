#include "executor/ssh_forward.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/error.h"
#include "executor/sandbox_mount.h"

namespace mbuild::executor {
namespace {

// A socket address has room for 107 bytes: the directory is named by descriptor.
sockaddr_un address_in(const Fd& directory, const std::string& name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = fd_path(directory.get()) + "/" + name;
  if (path.size() >= sizeof address.sun_path)
    throw Error(ExitClass::usage, fmt::format("socket name {} is too long", name));
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

Fd stream_socket() {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw system_error(errno, "socket", ExitClass::host);
  return fd;
}

Fd connect_to(const std::string& path) {
  const auto slash = path.rfind('/');
  const Fd directory = open_file(path.substr(0, slash + 1), O_PATH | O_DIRECTORY);
  const sockaddr_un address = address_in(directory, path.substr(slash + 1));
  Fd fd = stream_socket();
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    throw system_error(errno, "connect to the ssh agent", ExitClass::host);
  }
  return fd;
}

struct Connection {
  Fd client, agent;
  bool client_ended = false, agent_ended = false;
};

// Passes on what is there; false at the end.
bool pass(int from, int to) {
  char buffer[16384];
  const ssize_t n = ::read(from, buffer, sizeof buffer);
  if (n <= 0) return false;
  std::size_t done = 0;
  while (done < static_cast<std::size_t>(n)) {
    const ssize_t sent = ::send(to, buffer + done, static_cast<std::size_t>(n) - done, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += static_cast<std::size_t>(sent);
  }
  return true;
}

// Passes on one way; the end of the stream too.
void pass_or_end(int from, int to, bool& ended) {
  if (pass(from, to)) return;
  ended = true;
  ::shutdown(to, SHUT_WR);
}

void accept_one(int listener, const std::string& agent, std::vector<Connection>& connections) {
  Fd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return;
  try {
    connections.push_back({std::move(client), connect_to(agent)});
  } catch (const Error&) {
    // the agent has gone: the client sees its connection end
  }
}

// An agent answers one request before it reads the next: one thread serves all connections of a step.
void serve(int listener, const std::string& agent, int wake) {
  std::vector<Connection> connections;
  for (;;) {
    std::vector<pollfd> wait = {{wake, POLLIN, 0}, {listener, POLLIN, 0}};
    for (const auto& connection : connections) {
      wait.push_back({connection.client_ended ? -1 : connection.client.get(), POLLIN, 0});
      wait.push_back({connection.agent_ended ? -1 : connection.agent.get(), POLLIN, 0});
    }
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    if (wait[0].revents != 0) return;
    for (std::size_t i = connections.size(); i-- > 0;) {
      auto& [client, from_agent, client_ended, agent_ended] = connections[i];
      if (wait[2 + 2 * i].revents != 0) pass_or_end(client.get(), from_agent.get(), client_ended);
      if (wait[3 + 2 * i].revents != 0) pass_or_end(from_agent.get(), client.get(), agent_ended);
      if (agent_ended) connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (wait[1].revents != 0) accept_one(listener, agent, connections);
  }
}

}  // namespace

AgentSocket make_agent_socket(const std::string& agent, const std::string& directory, unsigned uid, unsigned gid,
                              unsigned mode) {
  struct stat status;
  if (::stat(agent.c_str(), &status) < 0 || !S_ISSOCK(status.st_mode)) {
    throw Error(ExitClass::usage, fmt::format("{} is no socket of an ssh agent", agent))
        .with_advice("start one (`eval $(ssh-agent)`; `ssh-add`) and give --ssh default");
  }
  AgentSocket out{stream_socket(), agent, directory + "/agent"};
  const Fd place = open_file(directory, O_PATH | O_DIRECTORY);
  const sockaddr_un address = address_in(place, "agent");
  if (::bind(out.listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(out.listener.get(), 16) < 0) {
    throw system_error(errno, "make the socket of an ssh mount", ExitClass::store);
  }
  if (::chown(out.path.c_str(), uid, gid) < 0 || ::chmod(out.path.c_str(), mode & 07777) < 0) {
    throw system_error(errno, fmt::format("set owner {}:{} of an ssh mount", uid, gid), ExitClass::host);
  }
  return out;
}

std::jthread serve_agent(const AgentSocket& socket) {
  auto wake = std::make_shared<Fd>(::eventfd(0, EFD_CLOEXEC));
  return std::jthread([wake, listener = socket.listener.get(), agent = socket.agent](std::stop_token stop) {
    const std::stop_callback on_stop(stop, [&] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto n = ::write(wake->get(), &one, sizeof one);
    });
    serve(listener, agent, wake->get());
  });
}

}  // namespace mbuild::executor
