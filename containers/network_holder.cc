#include "containers/network_holder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "base/codec.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/message.h"
#include "base/strings.h"
#include "base/try_read_file.h"
#include "cache/locks.h"
#include "containers/sockets.h"
#include "executor/outputs/stored_images.h"
#include "worker/ids/id_map.h"
#include "worker/inner/inner.h"
#include "worker/jobs/jobs.h"

namespace mbuild::containers {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds k_holder_patience(
    10);  // with who started it and with who was a member of another holder

struct Member {
  Fd socket;
  JoinRequest about;       // with its address
  bool is_behind = false;  // it has not been told who is there
};

// Who has connected, and is no member yet.
struct Caller {
  Fd socket;
  std::optional<JoinRequest> waiting = {};  // until those who have the namespaces come back
};

bool is_same_namespace(const Fd& a, const Fd& b) {
  struct stat first, second;
  return ::fstat(a.get(), &first) == 0 && ::fstat(b.get(), &second) == 0 && first.st_ino == second.st_ino &&
         first.st_dev == second.st_dev;
}

class NetworkHolder {
 public:
  NetworkHolder(Network network, const std::string& containers)
      : network_(std::move(network)),
        shelf_(containers),
        members_path_(network_directory(networks_directory(containers), network_.name) + "/members") {
    expect_members();
  }

  // Returns when nobody is left.
  void serve(const Fd& listener) {
    const auto begin = Clock::now();
    for (;;) {
      if (members_.empty() && callers_.empty() && (has_served_ || Clock::now() - begin > k_holder_patience)) return;
      wait(listener);
      if (!expected_.empty() && Clock::now() - begin > k_holder_patience) expected_.clear();
      if (!is_waiting()) admit_waiting();
      tell_all();
    }
  }

 private:
  // Those who were members of a holder that was killed: they have what this one needs.
  void expect_members() {
    for (const auto& line : split(try_read_file(members_path_), '\n')) {
      const auto space = line.find(' ');
      if (space == std::string::npos) continue;
      const auto container = shelf_.read(line.substr(0, space));
      if (container && is_held(*container)) expected_[container->record.id] = line.substr(space + 1);
    }
  }

  bool is_waiting() const { return !bridge_ && !expected_.empty(); }

  void wait(const Fd& listener) {
    std::vector<pollfd> polled = {{listener.get(), POLLIN, 0}};
    for (const auto& member : members_) {
      polled.push_back({member.socket.get(), static_cast<short>(POLLIN | (member.is_behind ? POLLOUT : 0)), 0});
    }
    for (const auto& caller : callers_) polled.push_back({caller.socket.get(), POLLIN, 0});
    const bool is_settled = has_served_ && expected_.empty();
    if (::poll(polled.data(), polled.size(), is_settled ? -1 : 100) <= 0) return;
    const std::size_t members = members_.size(), callers = callers_.size();
    for (std::size_t i = callers; i-- > 0;) {
      if (polled[1 + members + i].revents != 0) hear_caller(i);
    }
    for (std::size_t i = members; i-- > 0;) {
      if ((polled[1 + i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) hear_member(i);
    }
    if (polled[0].revents == 0) return;
    if (Fd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)); socket) {
      callers_.push_back({.socket = std::move(socket)});
    }
  }

  // A member says nothing more: it has gone.
  void hear_member(std::size_t i) {
    members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(i));
    changed();
  }

  void hear_caller(std::size_t i) {
    Caller caller = std::move(callers_[i]);
    callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(i));
    try {
      auto message = executor::receive_message(caller.socket.get());
      if (!message) return;
      auto request = executor::decode<JoinRequest>(message->body());
      if (message->operation == k_renamed) return rename(request);
      if (message->operation != k_join) return;
      expected_.erase(request.id);
      if (message->fds.size() == 2) return take_back(std::move(caller), std::move(request), message->fds);
      if (!is_waiting()) return admit(std::move(caller), std::move(request));
      caller.waiting = std::move(request);
      callers_.push_back(std::move(caller));
    } catch (const Error&) {
      // What it sent is no request: it sees its socket hang up.
    }
  }

  void rename(const JoinRequest& request) {
    for (auto& member : members_) {
      if (member.about.id == request.id) member.about.names = request.names;
    }
    changed();
  }

  void take_back(Caller caller, JoinRequest request, std::vector<Fd>& fds) {
    if (!bridge_) {
      user_ = std::move(fds[0]);
      bridge_ = std::move(fds[1]);
    } else if (!is_same_namespace(bridge_, fds[1])) {
      return refuse(caller, Error(ExitClass::host, "the network was made anew"));
    }
    admit(std::move(caller), std::move(request));
  }

  static void refuse(const Caller& caller, const Error& error) {
    executor::send_message(caller.socket.get(),
                           {executor::MessageType::error, 0, "", executor::encode_error(error), {}});
  }

  void admit_waiting() {
    for (auto& caller : std::exchange(callers_, {})) {
      if (caller.waiting) {
        auto request = std::move(*caller.waiting);
        admit(std::move(caller), std::move(request));
      } else {
        callers_.push_back(std::move(caller));
      }
    }
  }

  void admit(Caller caller, JoinRequest request) {
    has_served_ = true;
    try {
      if (!bridge_) make();
      if (request.address.empty() || is_taken(request.address)) request.address = next_address();
      members_.push_back({.socket = std::move(caller.socket), .about = std::move(request)});
      changed();
      auto& member = members_.back();
      member.is_behind = false;
      const int fds[] = {user_.get(), bridge_.get()};
      executor::send_message(
          member.socket.get(),
          {executor::MessageType::ready, 0, "", executor::encode(JoinReply{member.about.address, hosts()}), {}}, fds);
    } catch (const Error& error) {
      if (caller.socket) refuse(caller, error);
    }
  }

  // The namespaces are there as long as somebody has descriptors of them: the process that made them ends.
  void make() {
    const auto inner = executor::Inner::start({.map = executor::compute_id_map()});
    auto sockets = executor::make_socket_pair();
    executor::jobs::bridge(*inner, {.report = std::move(sockets.b)}, {});
    auto message = executor::receive_message(sockets.a.get());
    if (!message || message->fds.size() != 2) throw Error(ExitClass::host, "the network's bridge was not made");
    user_ = std::move(message->fds[0]);
    bridge_ = std::move(message->fds[1]);
  }

  bool is_taken(const std::string& address) const {
    return std::ranges::any_of(members_, [&](const auto& member) { return member.about.address == address; }) ||
           std::ranges::any_of(expected_, [&](const auto& other) { return other.second == address; });
  }

  // The one after the last that was given, so that what remembers an address for a while does not reach another.
  std::string next_address() {
    constexpr std::uint32_t k_first = 2;  // the first is where others expect a way out
    for (const bool again : {false, true}) {
      if (again) last_ = k_first - 1;
      for (;;) {
        auto address = address_in(network_, ++last_);
        if (address.empty()) break;
        if (!is_taken(address)) return address;
      }
    }
    throw usage_error(fmt::format("the network {} has no address left for another container", network_.name))
        .with_advice("Make one with a larger subnet: mbuild network create --subnet 10.211.0.0/16 NAME");
  }

  std::string hosts() const {
    std::string out;
    for (const auto& member : members_) out += hosts_line(member.about.address, member.about.names);
    return out;
  }

  void changed() {
    for (auto& member : members_) member.is_behind = true;
    std::string text;
    for (const auto& member : members_) text += fmt::format("{} {}\n", member.about.id, member.about.address);
    try {
      write_file_atomically(members_path_, text, 0600);
    } catch (const Error&) {
      // The disk is full, or the network was removed.
    }
  }

  // One that takes nothing now is told later.
  void tell_all() {
    const std::string text = hosts();
    for (auto& member : members_) {
      pollfd now = {member.socket.get(), POLLOUT, 0};
      if (!member.is_behind || ::poll(&now, 1, 0) <= 0 || (now.revents & POLLOUT) == 0) continue;
      executor::send_message(member.socket.get(), {executor::MessageType::result, 0, "", text, {}});
      member.is_behind = false;
    }
  }

  const Network network_;
  const Shelf shelf_;
  const std::string members_path_;
  Fd user_, bridge_;  // namespaces
  std::vector<Member> members_;
  std::vector<Caller> callers_;
  std::map<std::string, std::string> expected_;  // addresses by id
  std::uint32_t last_ = 1;
  bool has_served_ = false;
};

void tell_starter(int starter, executor::MessageType type, const std::string& text) {
  executor::send_message(starter, {type, 0, "", text, {}});
  const Fd null = open_file("/dev/null", O_RDWR);
  for (const int stream : {0, 1, 2}) ::dup2(null.get(), stream);
}

}  // namespace

std::string holder_socket(const std::string& networks, const std::string& name) {
  return network_directory(networks, name) + "/socket";
}

std::vector<std::string> names_of(const Record& record) {
  constexpr std::size_t k_short = 12;
  std::vector<std::string> out = {record.name};
  out.insert(out.end(), record.options.network.aliases.begin(), record.options.network.aliases.end());
  if (!record.options.hostname.empty()) out.push_back(record.options.hostname);
  out.push_back(record.id.substr(0, k_short));
  return out;
}

std::string hosts_line(const std::string& address, const std::vector<std::string>& names) {
  constexpr std::string_view k_allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  std::string out;
  std::set<std::string> said;
  for (const auto& name : names) {
    if (name.empty() || name.find_first_not_of(k_allowed) != std::string::npos || !said.insert(name).second) continue;
    out += (out.empty() ? "" : " ") + name;
  }
  return out.empty() ? "" : fmt::format("{}\t{}\n", address, out);
}

int hold_network(const std::string& store_root, const std::string& name, int starter) {
  ::signal(SIGPIPE, SIG_IGN);
  try {
    if (::chdir("/") < 0) throw system_error(errno, "chdir /", ExitClass::host);
    const auto containers = containers_directory(executor::open_store(store_root));
    const auto networks = networks_directory(containers);
    const auto network = read_network(networks, name);
    if (!network) throw usage_error("no such network: " + name);
    const auto lock = cache::FileLock::acquire(network_directory(networks, name) + "/lock");
    const std::string socket = holder_socket(networks, name);
    const Fd listener = listen_at(socket);
    NetworkHolder holder(*network, containers);
    tell_starter(starter, executor::MessageType::ready, "");
    struct stat made = {}, now = {};
    ::stat(socket.c_str(), &made);
    holder.serve(listener);
    // Another network of this name may have its own there.
    if (::stat(socket.c_str(), &now) == 0 && now.st_ino == made.st_ino) ::unlink(socket.c_str());
    return 0;
  } catch (const Error& error) {
    tell_starter(starter, executor::MessageType::error, executor::encode_error(error));
  } catch (const std::exception& error) {
    tell_starter(starter, executor::MessageType::error,
                 executor::encode_error(Error(ExitClass::internal, error.what())));
  }
  return 1;
}

}  // namespace mbuild::containers
