#pragma once

#include <functional>
#include <string>
#include <string_view>

// resolv.conf of the steps that run in the network of the build.
namespace mbuild::executor {

// Where the network's program answers for the name server of the host that only the host itself can reach: addresses
// that nobody else has.
inline constexpr const char* k_forward_ipv4 = "169.254.1.1";
inline constexpr const char* k_forward_ipv6 = "fd6d:6275:696c:64::53";

struct Resolver {
  std::string text;
  bool forward_ipv4 = false, forward_ipv6 = false;  // the text names k_forward_...
};

// The host's file, in which name servers at the host's own addresses (`is_own`, which is asked for addresses without
// scope; 127.0.0.0/8 and ::1 always are) are replaced by `ipv4` and `ipv6`.
Resolver resolver_of_build(std::string_view host, const std::function<bool(std::string_view)>& is_own,
                           std::string_view ipv4 = k_forward_ipv4, std::string_view ipv6 = k_forward_ipv6);

}  // namespace mbuild::executor
