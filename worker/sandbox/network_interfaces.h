#pragma once

#include <string>
#include <string_view>
#include <vector>

// Addresses and settings of the network namespace that this process is in.
namespace mbuild::executor {

// The interface that leads out of a build's network.
inline constexpr const char* k_interface = "eth0";

struct InterfaceAddress {
  std::string address;  // "192.0.2.2", "fe80::1", without prefix or scope
  bool loopback = false;
  bool operator==(const InterfaceAddress&) const = default;
};
std::vector<InterfaceAddress> interface_addresses();

// Makes a tap device that stays when nobody has it open, with this name. The kernel takes down one that goes with its
// last user while that process ends, which can take 50 ms, but one that goes with its namespace afterwards. Throws
// Error (host).
void make_lasting_tap(const char* name);

// Of this network namespace, where there is one of that name.
void remove_interface(const char* name);

// Brings up the loopback interface. Throws Error (host).
void raise_loopback();

// Makes the addresses this namespace's own, so that what is sent to them stays in it. One that it has is left as it is.
// Throws Error (host).
void add_own_addresses(const std::vector<InterfaceAddress>& addresses);

// Lets nothing out by the interface that leads outside that is sent to these addresses or to a loopback: a socket can
// be bound to an interface, and then the addresses of others are not its own. Only on kernels with XFRM.
void keep_inside(const std::vector<InterfaceAddress>& addresses);

// Lets every user bind all ports and send echo requests: the users of a step have no capabilities over the network.
// `gid_map` is the text of this process's /proc/self/gid_map. What the host does not let us write is left as it is.
void allow_ports_and_ping(const std::string& proc, std::string_view gid_map);

// The groups that may send echo requests, as the kernel wants them: "first last", of which the first has to be the
// lesser one inside and outside. All where the map keeps their order, else those of its largest range; "" for an empty
// one.
std::string ping_groups(std::string_view gid_map);

// True when the host has a route to everywhere, by either protocol. The texts are those of /proc/net/route and
// /proc/net/ipv6_route.
bool has_default_route(std::string_view route, std::string_view ipv6_route);

}  // namespace mbuild::executor
