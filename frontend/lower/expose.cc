#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ip_address.h"
#include "base/strings.h"
#include "frontend/lower/lint.h"
#include "frontend/lower/state.h"
#include "frontend/lower/text.h"

// EXPOSE: [[IP:]HOST-PORT:]PORT[-PORT][/PROTOCOL]. What stands before the container's port is checked, warned about and
// dropped.
namespace mbuild::frontend::lowering {
namespace {

struct PortParts {
  std::string ip, host, container;
};

struct PortRange {
  int first = 0, last = 0;
};

PortParts split_parts(std::string_view text) {
  PortParts parts;
  const std::size_t last = text.rfind(':');
  if (last == std::string_view::npos) return {"", "", std::string(text)};
  parts.container = text.substr(last + 1);
  const std::size_t middle = last == 0 ? std::string_view::npos : text.rfind(':', last - 1);
  if (middle == std::string_view::npos) {
    parts.host = text.substr(0, last);
  } else {
    parts.host = text.substr(middle + 1, last - middle - 1);
    parts.ip = text.substr(0, middle);
  }
  return parts;
}

std::optional<int> parse_port(std::string_view text) {
  if (text.size() > 1 && text.starts_with('+') && text[1] != '-') text.remove_prefix(1);
  int port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (code != std::errc() || end != text.data() + text.size() || port < 0 || port > 65535) return std::nullopt;
  return port;
}

std::optional<PortRange> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

void check_ip(std::string ip) {
  const std::string written = ip;
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  if (!is_ip_address(ip)) throw usage_error("invalid IP address: " + written);
}

void check_host_port(const PortParts& parts, const PortRange& container) {
  const auto host = parse_range(parts.host);
  if (!host) throw usage_error("invalid hostPort: " + parts.host);
  const bool same_length = container.last - container.first == host->last - host->first;
  if (!same_length && container.first != container.last) {
    throw usage_error(
        fmt::format("invalid ranges specified for container and host Ports: {} and {}", parts.container, parts.host));
  }
}

struct Protocol {
  std::string port, written = "tcp";
};

Protocol split_protocol(const std::string& text, const std::string& whole) {
  const std::size_t slash = text.find('/');
  Protocol protocol{text.substr(0, slash)};
  if (protocol.port.empty()) throw usage_error(fmt::format("invalid port: {}: no port specified", go_quote(whole)));
  if (slash != std::string::npos && slash + 1 < text.size()) protocol.written = text.substr(slash + 1);
  const std::string name = to_lower(protocol.written);
  if (name != "tcp" && name != "udp" && name != "sctp") {
    throw usage_error(fmt::format("invalid port: {}: invalid proto: {}", go_quote(whole), protocol.written));
  }
  return protocol;
}

// Adds "8000/tcp", "8001/tcp", ... for one word.
void add_ports(Lowering& lowering, const Stage& stage, const Step& step, const std::string& word,
               std::vector<std::string>& ports) {
  PortParts parts = split_parts(word);
  const Protocol protocol = split_protocol(parts.container, word);
  parts.container = protocol.port;
  check_expose_protocol(lowering, stage, step, word, protocol.written);
  if (!parts.ip.empty() || !parts.host.empty()) check_expose_format(lowering, stage, step, word);
  if (!parts.ip.empty()) check_ip(parts.ip);
  const auto range = parse_range(parts.container);
  if (!range) throw usage_error("invalid containerPort: " + parts.container);
  if (!parts.host.empty()) check_host_port(parts, *range);
  const std::string suffix = "/" + to_lower(protocol.written);
  for (int port = range->first; port <= range->last; ++port) ports.push_back(fmt::format("{}{}", port, suffix));
}

}  // namespace

void lower_expose(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::ExposeInstruction& expose) {
  std::vector<std::string> written = expose.ports;
  std::ranges::sort(written);
  std::vector<std::string> ports;
  const char escape = lowering.shared.request.dockerfile.escape;
  for (const std::string& text : written) {
    const auto words = dockerfile::expand_words(text, lookup_in(stage.state.env), {.escape = escape});
    for (const std::string& word : words) add_ports(lowering, stage, step, word, ports);
  }
  stage.state.ports.insert(ports.begin(), ports.end());
  append_history(lowering, stage, "EXPOSE " + go_list(ports), true);
}

}  // namespace mbuild::frontend::lowering
