#pragma once

#include <string>
#include <vector>

#include "containers/networks.h"

// The process that holds a network while it has members. It keeps the namespaces in which the bridge is, gives each
// member an address, and tells all of them who is there: their processes write that into the /etc/hosts of their
// containers. The first member starts it, and it ends with the last.
//
// A member is a connection to its socket, so whatever ends a member's process ends its membership. When the holder
// itself is killed, its members see their connections close; the namespaces live on by the descriptors that they have.
// The first to see it starts another holder and brings it these, and the others come back to it with their addresses.
namespace mbuild::containers {

// argv[1] of such a process; argv[2] is the directory of the store, argv[3] the network's name, and its standard input
// a socket, by which it tells once that it can be joined, or why not.
inline constexpr const char* k_holder_argument = "internal-network";

// The life of such a process.
int hold_network(const std::string& store_root, const std::string& name, int starter);

// Where it listens.
std::string holder_socket(const std::string& networks, const std::string& name);

// The operation by which one becomes a member: a JoinRequest, and where it has been one before the descriptors of the
// user namespace and of the network namespace. It is answered (ready) with a JoinReply and these two; whenever the
// members are others, the socket brings their lines (result).
inline constexpr const char* k_join = "join";
struct JoinRequest {
  std::string id;
  std::vector<std::string> names;
  std::string address;  // that it had before; ""
};
struct JoinReply {
  std::string address;
  std::string hosts;  // lines of /etc/hosts
};

// The operation that tells that a container has another name by now; its payload is a JoinRequest.
inline constexpr const char* k_renamed = "renamed";

// What others of its network call a container.
std::vector<std::string> names_of(const Record& record);

// One line of /etc/hosts, with those of the names that can be in one.
std::string hosts_line(const std::string& address, const std::vector<std::string>& names);

}  // namespace mbuild::containers
