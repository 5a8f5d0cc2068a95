#pragma once

#include <string>

// A network of several namespaces: a bridge in a namespace of its own, and for each of them a pair of interfaces (veth)
// that leads to it. All belong to one user namespace, whose root may so do what takes the host's root elsewhere.
namespace mbuild::executor {

// How a namespace is called in the network that its bridge makes.
struct BridgeAddress {
  std::string address;  // IPv4
  unsigned prefix = 24;
};

// Makes the bridge in the network namespace of this process. Throws Error (host) with advice.
void make_bridge();

// In the bridge's namespace: makes a pair, of which one end is put into the namespace `to`. Throws Error (host) with
// advice.
void lead_to_bridge(int to);

// In the namespace that such a pair leads to: gives its end the address. Throws Error (host).
void take_bridge_address(const BridgeAddress& address);

}  // namespace mbuild::executor
