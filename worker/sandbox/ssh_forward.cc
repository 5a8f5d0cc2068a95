#include "worker/sandbox/ssh_forward.h"

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
#include "worker/ids/user_namespace.h"
#include "worker/sandbox/agent_protocol.h"
#include "worker/snapshot/mount_calls.h"

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

// One client and its own connection to the agent. An agent answers one request before it reads the next, and so does
// this: while an answer is due, or on its way, nothing is read from the client.
struct Connection {
  Fd client, agent;
  std::string request, answer;  // bytes that are not yet whole frames
  std::string to_client, to_agent;
  bool client_ended = false, answer_due = false, over = false;
};

constexpr std::size_t k_max_connections = 64;  // of a step; more wait

bool is_busy(const Connection& connection) {
  return connection.answer_due || !connection.to_agent.empty() || !connection.to_client.empty();
}

// Appends what is there; false at the end. Never more than a frame and a piece.
bool read_some(int fd, std::string& into) {
  char buffer[16384];
  const ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  into.append(buffer, static_cast<std::size_t>(n));
  return n > 0;
}

// Sends what can be sent now; false when the other side has gone.
bool write_some(int fd, std::string& from) {
  const ssize_t n = ::send(fd, from.data(), from.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  from.erase(0, static_cast<std::size_t>(n));
  return true;
}

// Looks at the next request: one that only reads goes to the agent, any other fails here.
void take_request(Connection& connection) {
  if (is_busy(connection)) return;
  const auto frame = first_frame(connection.request);
  if (frame.state == FrameState::malformed) connection.over = true;
  if (frame.state != FrameState::whole) return;
  if (reads_only(frame.body)) {
    connection.to_agent = connection.request.substr(0, frame_size(frame));
    connection.answer_due = true;
  } else {
    connection.to_client = failure_frame();
  }
  connection.request.erase(0, frame_size(frame));
}

void take_answer(Connection& connection) {
  const auto frame = first_frame(connection.answer);
  if (frame.state == FrameState::malformed) connection.over = true;
  if (frame.state != FrameState::whole) return;
  connection.to_client = is_answer(frame.body) ? connection.answer.substr(0, frame_size(frame)) : failure_frame();
  connection.answer.clear();
  connection.answer_due = false;
}

void advance(Connection& connection, short client_events, short agent_events) {
  auto& c = connection;
  if (agent_events != 0 && !c.to_agent.empty() && !write_some(c.agent.get(), c.to_agent)) c.over = true;
  if (agent_events != 0 && c.to_agent.empty()) {
    if (!read_some(c.agent.get(), c.answer) || (!c.answer_due && !c.answer.empty())) c.over = true;
    if (c.answer_due) take_answer(c);
  }
  if (client_events != 0 && !c.to_client.empty() && !write_some(c.client.get(), c.to_client)) c.over = true;
  if (client_events != 0 && !is_busy(c) && !c.client_ended) c.client_ended = !read_some(c.client.get(), c.request);
  take_request(c);
  if (c.client_ended && !is_busy(c)) c.over = true;
}

pollfd client_wait(const Connection& connection) {
  if (!connection.to_client.empty()) return {connection.client.get(), POLLOUT, 0};
  const bool listens = !is_busy(connection) && !connection.client_ended;
  return {listens ? connection.client.get() : -1, POLLIN, 0};
}

pollfd agent_wait(const Connection& connection) {
  return {connection.agent.get(), static_cast<short>(connection.to_agent.empty() ? POLLIN : POLLOUT), 0};
}

void accept_one(int listener, const std::string& agent, std::vector<Connection>& connections) {
  Fd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return;
  try {
    Connection connection;
    connection.client = std::move(client);
    connection.agent = connect_to(agent);
    connections.push_back(std::move(connection));
  } catch (const Error&) {
    // the agent has gone: the client sees its connection end
  }
}

// One thread serves all connections of a step, and waits for none of them.
void serve(int listener, const std::string& agent, int wake) {
  std::vector<Connection> connections;
  for (;;) {
    const bool full = connections.size() >= k_max_connections;
    std::vector<pollfd> wait = {{wake, POLLIN, 0}, {full ? -1 : listener, POLLIN, 0}};
    for (const auto& connection : connections) {
      wait.push_back(client_wait(connection));
      wait.push_back(agent_wait(connection));
    }
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    if (wait[0].revents != 0) return;
    for (std::size_t i = connections.size(); i-- > 0;) {
      advance(connections[i], wait[2 + 2 * i].revents, wait[3 + 2 * i].revents);
      if (connections[i].over) connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
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
    try {
      act_as_caller();  // an agent answers nobody but its owner
    } catch (const Error&) {
      // it will refuse us
    }
    serve(listener, agent, wake->get());
  });
}

}  // namespace mbuild::executor
