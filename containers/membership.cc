#include "containers/membership.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/codec.h"
#include "base/error.h"
#include "base/message.h"
#include "base/subprocess.h"
#include "cache/locks.h"
#include "containers/sockets.h"

namespace mbuild::containers {
namespace {

constexpr int k_attempts = 20;  // to join, with holders that are about to end

Fd open_hosts(const std::string& path) {
  Fd out = open_file(path, O_WRONLY | O_CREAT, 0644);
  if (::fchmod(out.get(), 0644) < 0) throw system_error(errno, "chmod " + path);
  return out;
}

}  // namespace

Membership::Membership(std::string store_root, std::string networks, Network network, const Container& container,
                       std::string own_lines)
    : store_root_(std::move(store_root)),
      networks_(std::move(networks)),
      network_(std::move(network)),
      request_{.id = container.record.id, .names = names_of(container.record), .address = {}},
      own_lines_(std::move(own_lines)),
      hosts_(open_hosts(hosts_path(container))),
      wake_(::eventfd(0, EFD_CLOEXEC)) {
  if (!wake_) throw system_error(errno, "eventfd", ExitClass::host);
  join();
  watch_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

Membership::~Membership() {
  watch_.request_stop();
  ::eventfd_write(wake_.get(), 1);
  watch_.join();
}

Fd Membership::user_namespace() const { return duplicate(user_.get()); }

executor::BuildNetwork::Bridge Membership::bridge() const {
  return {.name_space = duplicate(bridge_.get()),
          .address = {.address = request_.address, .prefix = network_.prefix},
          .closed = network_.closed};
}

// A holder that ends just now is there, but does not answer.
void Membership::join() {
  for (int i = 0; i < k_attempts; ++i) {
    Fd socket = connect_or_start();
    const int fds[] = {user_.get(), bridge_.get()};
    const bool was_member = static_cast<bool>(bridge_);
    executor::send_message(socket.get(), {executor::MessageType::request, 0, k_join, executor::encode(request_), {}},
                           std::span<const int>(fds, was_member ? 2 : 0));
    auto answer = executor::receive_message(socket.get());
    if (!answer) continue;
    if (answer->type == executor::MessageType::error) throw executor::decode_error(answer->body());
    auto reply = executor::decode<JoinReply>(answer->body());
    if (answer->fds.size() != 2) continue;
    if (!was_member) {
      user_ = std::move(answer->fds[0]);
      bridge_ = std::move(answer->fds[1]);
      request_.address = std::move(reply.address);
    }
    socket_ = std::move(socket);
    return write_hosts(reply.hosts);
  }
  throw Error(ExitClass::host,
              fmt::format("the network {} can't be joined: its process ends again and again", network_.name));
}

Fd Membership::connect_or_start() {
  const std::string path = holder_socket(networks_, network_.name);
  if (Fd socket = connect_to(path)) return socket;
  const std::string directory = network_directory(networks_, network_.name);
  if (!path_exists(directory)) throw usage_error(fmt::format("the network {} was removed", network_.name));
  const auto starting = cache::FileLock::acquire(directory + "/starting");
  if (Fd socket = connect_to(path)) return socket;
  start_holder();
  Fd socket = connect_to(path);
  if (!socket) throw Error(ExitClass::host, fmt::format("the process of the network {} ended early", network_.name));
  return socket;
}

void Membership::start_holder() {
  executor::SocketPair sockets = executor::make_socket_pair();
  reap_holder();
  holder_ = start_self({k_holder_argument, store_root_, network_.name}, sockets.b.get());
  sockets.b.reset();
  const auto answer = executor::receive_message(sockets.a.get());
  if (!answer) throw Error(ExitClass::host, fmt::format("the process of the network {} ended early", network_.name));
  if (answer->type == executor::MessageType::error) throw executor::decode_error(answer->body());
}

// In its place: the container has this very file. Who reads it meanwhile sees whole lines of one or the other.
void Membership::write_hosts(const std::string& lines) {
  const std::string text = own_lines_ + lines;
  if (::pwrite(hosts_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) {
    if (::ftruncate(hosts_.get(), static_cast<off_t>(text.size())) == 0) return;
  }
  throw system_error(errno, "write the names of the network " + network_.name);
}

void Membership::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd wait[2] = {{wake_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0 || wait[1].revents == 0) continue;
    try {
      if (const auto message = executor::receive_message(socket_.get())) {
        write_hosts(std::string(message->body()));
        continue;
      }
    } catch (const Error&) {
      continue;  // The disk is full: what it knew stays.
    }
    if (!join_again(stop)) return;
  }
}

// The holder was killed. False where there is to be none any more.
bool Membership::join_again(const std::stop_token& stop) {
  constexpr int k_longest = 2000;  // milliseconds
  for (int pause = 10; !stop.stop_requested(); pause = std::min(2 * pause, k_longest)) {
    reap_holder();
    if (!path_exists(network_directory(networks_, network_.name))) return false;
    try {
      join();
      reap_holder();
      return true;
    } catch (const Error&) {
      pollfd wait = {wake_.get(), POLLIN, 0};
      ::poll(&wait, 1, pause);
    }
  }
  return false;
}

void Membership::reap_holder() {
  if (holder_ > 0 && ::waitpid(holder_, nullptr, WNOHANG) == holder_) holder_ = 0;
}

std::string hosts_path(const Container& container) { return container.directory + "/hosts"; }

void announce_name(const std::string& containers, const Record& record) {
  const auto& network = record.options.network.name;
  if (network.empty()) return;
  const Fd socket = connect_to(holder_socket(networks_directory(containers), network));
  if (!socket) return;
  const JoinRequest about{.id = record.id, .names = names_of(record), .address = {}};
  executor::send_message(socket.get(), {executor::MessageType::request, 0, k_renamed, executor::encode(about), {}});
}

}  // namespace mbuild::containers
