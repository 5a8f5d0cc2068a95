#include "executor/ssh_forward.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/unit/executor/file_tree.h"

namespace mbuild::executor {
namespace {

using test::FileTree;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

// An agent that answers "yes:" and the request, to one client after another.
struct Agent {
  explicit Agent(const std::string& path) {
    const auto address = address_of(path);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 5) == 0);
    thread = std::jthread([this] {
      for (;;) {
        const Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        char buffer[64];
        const auto n = ::read(client.get(), buffer, sizeof buffer);
        if (n > 0) write_all(client.get(), "yes:" + std::string(buffer, static_cast<std::size_t>(n)));
      }
    });
  }
  ~Agent() { ::shutdown(listener.get(), SHUT_RDWR); }

  Fd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::jthread thread;
};

Fd connected(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_of(path);
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

TEST_CASE("requests and answers are carried between the step and the agent") {
  FileTree tree;
  tree.directory("ssh");
  const Agent agent(tree.host_path("agent"));
  const auto socket = make_agent_socket(tree.host_path("agent"), tree.host_path("ssh"), ::getuid(), ::getgid(), 0640);
  const Fd early = connected(socket.path);  // waits until there is someone to serve it
  const auto forwarder = serve_agent(socket);
  write_all(early.get(), "one");
  CHECK(read_all(early.get()) == "yes:one");
  const Fd half_closed = connected(socket.path);
  write_all(half_closed.get(), "two");
  ::shutdown(half_closed.get(), SHUT_WR);
  CHECK(read_all(half_closed.get()) == "yes:two");
  struct stat status;
  REQUIRE(::stat(socket.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
}

TEST_CASE("an agent that is not there is an error with advice") {
  FileTree tree;
  tree.directory("ssh").file("plain");
  CHECK_THROWS_AS(make_agent_socket(tree.host_path("plain"), tree.host_path("ssh"), 0, 0, 0600), Error);
  CHECK_THROWS_AS(make_agent_socket(tree.host_path("none"), tree.host_path("ssh"), 0, 0, 0600), Error);
}

TEST_CASE("when the agent has gone the client's connection ends") {
  FileTree tree;
  tree.directory("ssh");
  AgentSocket socket;
  {
    const Agent agent(tree.host_path("agent"));
    socket = make_agent_socket(tree.host_path("agent"), tree.host_path("ssh"), ::getuid(), ::getgid(), 0600);
  }
  const auto forwarder = serve_agent(socket);
  CHECK(read_all(connected(socket.path).get()).empty());
}

}  // namespace mbuild::executor
