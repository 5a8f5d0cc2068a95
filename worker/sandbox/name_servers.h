#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mbuild::executor {

// What a program asks for names, in the place of what the host asks; an empty list leaves the host's.
struct NameServers {
  std::vector<std::string> addresses, search, options;
  bool operator==(const NameServers&) const = default;
};

// The text of a resolv.conf with these.
std::string with_name_servers(std::string_view text, const NameServers& wanted);

}  // namespace mbuild::executor
