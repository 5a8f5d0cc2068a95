#include "worker/sandbox/resolver.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace mbuild::executor {
namespace {

// "" for a line that names none.
std::string_view name_server(std::string_view line) {
  constexpr std::string_view k_word = "nameserver";
  if (!line.starts_with(k_word) || line.size() == k_word.size()) return "";
  const char next = line[k_word.size()];
  if (next != ' ' && next != '\t') return "";
  const std::string_view rest = trim(line.substr(k_word.size()));
  return rest.substr(0, rest.find_first_of(" \t#;"));
}

}  // namespace

Resolver resolver_of_build(std::string_view host, const std::function<bool(std::string_view)>& is_own,
                           std::string_view ipv4, std::string_view ipv6) {
  Resolver out;
  for (const auto& line : split(host, '\n')) {
    const std::string_view server = name_server(line);
    const std::string_view address = server.substr(0, server.find('%'));
    const bool own = !server.empty() && (address.starts_with("127.") || address == "::1" || is_own(address));
    if (!own) {
      if (!line.empty()) out.text += line + "\n";
      continue;
    }
    const bool is_ipv6 = address.find(':') != std::string_view::npos;
    bool& forward = is_ipv6 ? out.forward_ipv6 : out.forward_ipv4;
    if (!forward) out.text += fmt::format("nameserver {}\n", is_ipv6 ? ipv6 : ipv4);
    forward = true;
  }
  return out;
}

}  // namespace mbuild::executor
