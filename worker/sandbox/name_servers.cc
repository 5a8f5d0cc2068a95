#include "worker/sandbox/name_servers.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace mbuild::executor {

std::string with_name_servers(std::string_view text, const NameServers& wanted) {
  std::string out;
  for (const auto& line : split(text, '\n')) {
    const auto word = line.substr(0, line.find_first_of(" \t"));
    const bool is_replaced = (word == "nameserver" && !wanted.addresses.empty()) ||
                             ((word == "search" || word == "domain") && !wanted.search.empty()) ||
                             (word == "options" && !wanted.options.empty());
    if (!is_replaced && !line.empty()) out += line + "\n";
  }
  for (const auto& address : wanted.addresses) out += fmt::format("nameserver {}\n", address);
  // "." alone means none, as to docker.
  const bool has_search = !wanted.search.empty() && wanted.search != std::vector<std::string>{"."};
  if (has_search) out += fmt::format("search {}\n", join(wanted.search, " "));
  if (!wanted.options.empty()) out += fmt::format("options {}\n", join(wanted.options, " "));
  return out;
}

}  // namespace mbuild::executor
