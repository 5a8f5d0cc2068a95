#include "executor/api/option_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/ip_address.h"
#include "base/strings.h"
#include "executor/api/attribute_values.h"

namespace mbuild::executor {
namespace {

std::int64_t parse_limit(std::string_view text, const std::string& whole) {
  if (text == "unlimited") return -1;
  if (const auto value = number_in(text)) return *value;
  throw usage_error(fmt::format("invalid ulimit argument: {}", whole));
}

}  // namespace

std::pair<std::string, std::string> parse_pair(const std::string& text, std::string_view what) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) throw usage_error(fmt::format("invalid {} \"{}\": expected key=value", what, text));
  if (equals == 0) throw usage_error(fmt::format("invalid {} \"{}\": empty key", what, text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::vector<std::pair<std::string, std::string>> parse_add_host(const std::string& text) {
  const auto separator = text.find_first_of("=:");
  if (separator == 0 || separator == std::string::npos) throw usage_error(fmt::format("invalid host {}", text));
  std::vector<std::pair<std::string, std::string>> hosts;
  for (auto address : split(text.substr(separator + 1), ',')) {
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    if (address.empty()) throw usage_error(fmt::format("invalid host {}", text));
    if (address == "host-gateway") {
      throw usage_error(fmt::format("invalid host {}: there is no way from a step to the host itself", text))
          .with_advice("Give an address that reaches it from outside.");
    }
    if (!is_ip_address(address)) throw usage_error(fmt::format("invalid host {}: {} is no IP address", text, address));
    hosts.emplace_back(text.substr(0, separator), address);
  }
  return hosts;
}

graph::Ulimit parse_ulimit(const std::string& text) {
  static const std::vector<std::string> k_names = {"core",    "cpu",      "data",   "fsize",      "locks",
                                                   "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                                   "rss",     "rtprio",   "rttime", "sigpending", "stack"};
  const auto [name, value] = parse_pair(text, "ulimit argument");
  if (std::find(k_names.begin(), k_names.end(), name) == k_names.end()) {
    throw usage_error(fmt::format("invalid ulimit type: {}{}", name, did_you_mean(name, k_names)));
  }
  const auto colon = value.find(':');
  graph::Ulimit limit{.name = name, .soft = parse_limit(value.substr(0, colon), text), .hard = 0};
  limit.hard = colon == std::string::npos ? limit.soft : parse_limit(value.substr(colon + 1), text);
  if (limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard)) {
    throw usage_error(fmt::format("ulimit soft limit must be less than or equal to hard limit: {}", text));
  }
  return limit;
}

graph::NetworkMode parse_network(const std::string& name) {
  if (name == "default" || name.empty()) return graph::NetworkMode::standard;
  if (name == "none") return graph::NetworkMode::none;
  if (name == "host") return graph::NetworkMode::host;
  throw Error(ExitClass::usage, fmt::format("network mode \"{}\" not supported", name))
      .with_advice("Modes are default, none and host.");
}

}  // namespace mbuild::executor
