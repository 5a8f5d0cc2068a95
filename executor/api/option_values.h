#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"

// Options of a build as users write them. All throw Error (usage).
namespace mbuild::executor {

// "host:ip", "host=ip", several addresses separated by commas, IPv6 in brackets.
std::vector<std::pair<std::string, std::string>> parse_add_host(const std::string& text);
// "nofile=1024:2048".
graph::Ulimit parse_ulimit(const std::string& text);
// "default" or "", "none", "host".
graph::NetworkMode parse_network(const std::string& name);
// "KEY=VALUE" split at the first '='; `what` names the flag in errors.
std::pair<std::string, std::string> parse_pair(const std::string& text, std::string_view what);

}  // namespace mbuild::executor
