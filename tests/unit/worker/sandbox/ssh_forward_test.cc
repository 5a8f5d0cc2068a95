#include "worker/sandbox/ssh_forward.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

namespace mbuild::executor {
namespace {

using test::FileTree;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

std::string frame(std::string_view body) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(body.size() >> shift);
  return out.append(body);
}

const std::string k_list("\x0b", 1);
const std::string k_identities("\x0c\0\0\0\0", 5);
const std::string k_failure("\x05", 1);

std::string sign_request(std::string_view data) {
  return "\x0d" + frame("key") + frame(data) + std::string("\0\0\0\0", 4);
}

// An agent that answers each request, to one client after another, with no identities, and notes what it was asked.
struct Agent {
  explicit Agent(const std::string& path, std::string answer = frame(k_identities)) {
    const auto address = address_of(path);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener.get(), 5) == 0);
    thread = std::jthread([this, answer = std::move(answer)] {
      for (;;) {
        const Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        char buffer[64];
        for (ssize_t n; (n = ::read(client.get(), buffer, sizeof buffer)) > 0;) {
          {
            const std::lock_guard lock(mutex);
            asked.append(buffer, static_cast<std::size_t>(n));
          }
          write_all(client.get(), answer);
        }
      }
    });
  }
  ~Agent() { ::shutdown(listener.get(), SHUT_RDWR); }

  Fd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::mutex mutex;
  std::string asked;
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
  Agent agent(tree.host_path("agent"));
  const auto socket = make_agent_socket(tree.host_path("agent"), tree.host_path("ssh"), ::getuid(), ::getgid(), 0640);
  Fd early = connected(socket.path);  // waits until there is someone to serve it
  const auto forwarder = serve_agent(socket);
  write_all(early.get(), frame(k_list));
  ::shutdown(early.get(), SHUT_WR);
  CHECK(read_all(early.get()) == frame(k_identities));
  const Fd half_closed = connected(socket.path);
  write_all(half_closed.get(), frame(sign_request("data")));
  ::shutdown(half_closed.get(), SHUT_WR);
  CHECK(read_all(half_closed.get()) == frame(k_identities));
  CHECK(agent.asked == frame(k_list) + frame(sign_request("data")));
  struct stat status;
  REQUIRE(::stat(socket.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
}

TEST_CASE("a step changes nothing in the agent") {
  FileTree tree;
  tree.directory("ssh");
  Agent agent(tree.host_path("agent"));
  const auto socket = make_agent_socket(tree.host_path("agent"), tree.host_path("ssh"), ::getuid(), ::getgid(), 0600);
  const auto forwarder = serve_agent(socket);
  const Fd client = connected(socket.path);
  std::string sent, expected;
  for (int type = 0; type < 256;
       ++type) {  // add, remove, lock, smart cards, extensions, and what nobody has thought of
    if (type == 11 || type == 13) continue;
    sent += frame(std::string(1, static_cast<char>(type)) + "anything");
    expected += frame(k_failure);
  }
  write_all(client.get(), sent + frame(k_list));
  ::shutdown(client.get(), SHUT_WR);
  CHECK(read_all(client.get()) == expected + frame(k_identities));
  CHECK(agent.asked == frame(k_list));
}

TEST_CASE("a frame that is too long ends the connection") {
  FileTree tree;
  tree.directory("ssh");
  Agent agent(tree.host_path("agent"));
  const auto socket = make_agent_socket(tree.host_path("agent"), tree.host_path("ssh"), ::getuid(), ::getgid(), 0600);
  const auto forwarder = serve_agent(socket);
  const Fd client = connected(socket.path);
  write_all(client.get(), std::string("\0\4\0\1", 4));
  CHECK(read_all(client.get()).empty());
  CHECK(agent.asked.empty());
}

TEST_CASE("an agent's answer that is none is a failure, or ends the connection where it is too long") {
  FileTree tree;
  tree.directory("ssh");
  const auto answer_to_list = [&](const std::string& answer, const std::string& name) {
    Agent agent(tree.host_path(name), answer);
    tree.directory(name + "-ssh");
    const auto socket =
        make_agent_socket(tree.host_path(name), tree.host_path(name + "-ssh"), ::getuid(), ::getgid(), 0600);
    const auto forwarder = serve_agent(socket);
    const Fd client = connected(socket.path);
    write_all(client.get(), frame(k_list));
    ::shutdown(client.get(), SHUT_WR);
    return read_all(client.get());
  };
  CHECK(answer_to_list(frame("\x06"), "a") == frame(k_failure));
  CHECK(answer_to_list(std::string("\x7f\0\0\0", 4), "b").empty());
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
