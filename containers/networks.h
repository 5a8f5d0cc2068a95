#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "containers/shelf.h"

// The networks of a store, by which containers reach each other by name: one directory each (docs/formats.md). While
// one has members, a process holds it (network_holder.h).
namespace mbuild::containers {

struct Network {
  std::string id, name;
  std::string subnet;  // "10.210.3.0"
  unsigned prefix = 24;
  bool closed = false;       // its members reach each other alone
  std::int64_t created = 0;  // seconds since 1970
  std::vector<std::pair<std::string, std::string>> labels = {};
};

// Beside the containers of the same store.
std::string networks_directory(const std::string& containers);

// The directory of one.
std::string network_directory(const std::string& networks, const std::string& name);

// Makes one, with a subnet that neither another nor the host has where it names none. Throws Error (usage) where the
// name is none or is taken, or the subnet is none.
Network create_network(const std::string& networks, Network wanted);

// By name.
std::vector<Network> list_networks(const std::string& networks);
std::optional<Network> read_network(const std::string& networks, const std::string& name);
// By name, id or the beginning of an id. Throws Error (usage) where there is none, or several.
Network find_network(const std::string& networks, const std::string& word);

// The containers that run in it.
std::vector<Container> members_of(const Shelf& shelf, const std::string& network);

// Throws Error (usage) where a container of it runs.
void remove_network(const std::string& containers, const Network& network);
// Removes those of them that no container has; their names.
std::vector<std::string> prune_networks(const std::string& containers,
                                        const std::function<bool(const Network&)>& is_meant);

// Throws Error (usage) unless a container can be called so by others.
void check_alias(const std::string& alias);

// "10.210.3.0/24" to a subnet and its prefix. Throws Error (usage).
void parse_subnet(const std::string& text, Network& into);
// The address of the subnet with this number from 1 on; "" where it has none.
std::string address_in(const Network& network, std::uint32_t number);

// The network that a container is to have, from what the user calls it: "default", "none", "host", "container:NAME" or
// a network. Throws Error (usage) where there is none of that name.
NetworkChoice choose_network(const std::string& containers, const std::string& word);

}  // namespace mbuild::containers
