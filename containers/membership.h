#pragma once

#include <memory>
#include <string>
#include <thread>

#include "base/fd.h"
#include "containers/network_holder.h"
#include "containers/shelf.h"
#include "worker/jobs/build_network.h"

namespace mbuild::containers {

// A container in a network, as long as this object lives: an address, and a file with the names of the others that is
// rewritten whenever they are others (network_holder.h).
class Membership {
 public:
  // Starts the holder where there is none. `own_lines`: what the file has besides. Throws Error (usage) where the
  // network is full, Error (host) where it can't be made.
  Membership(std::string store_root, std::string networks, Network network, const Container& container,
             std::string own_lines);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  const std::string& address() const { return request_.address; }
  // That the container's process has to be in.
  Fd user_namespace() const;
  executor::BuildNetwork::Bridge bridge() const;

 private:
  void join();
  Fd connect_or_start();
  void start_holder();
  void write_hosts(const std::string& lines);
  void watch(const std::stop_token& stop);
  bool join_again(const std::stop_token& stop);
  void reap_holder();

  const std::string store_root_, networks_;
  const Network network_;
  JoinRequest request_;
  const std::string own_lines_;
  Fd hosts_, socket_, user_, bridge_, wake_;
  int holder_ = 0;      // its process where this one has started it
  std::jthread watch_;  // last: it looks at the others
};

// Where such a file is.
std::string hosts_path(const Container& container);

// Tells those of its network that a container has another name.
void announce_name(const std::string& containers, const Record& record);

}  // namespace mbuild::containers
