#pragma once

#include <arpa/inet.h>

#include <string>

namespace mbuild {

// Of IPv4 or IPv6, without brackets, port or zone.
inline bool is_ip_address(const std::string& text) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, text.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

}  // namespace mbuild
