#include "cli/network_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "cli/confirm.h"
#include "cli/container_parts.h"
#include "cli/display/go_template.h"
#include "cli/display/json_text.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "containers/networks.h"
#include "executor/outputs/stored_images.h"

namespace mbuild::cli {
namespace {

using containers::Network;
using nlohmann::ordered_json;

struct NetworkFlags {
  std::string root, format, driver = "bridge", subnet;
  std::vector<std::string> names, labels;
  bool quiet = false, force = false, whole = false, closed = false;
};

std::string containers_of(const NetworkFlags& flags) {
  return containers::containers_directory(executor::open_store(store_root(flags.root)));
}

std::string networks_of(const NetworkFlags& flags) { return containers::networks_directory(containers_of(flags)); }

ordered_json labels_of(const Network& network) {
  auto out = ordered_json::object();
  for (const auto& [name, value] : network.labels) out[name] = value;
  return out;
}

ordered_json network_row(const Network& network, bool whole) {
  constexpr std::size_t k_short_id = 12;
  return {{"ID", whole ? network.id : network.id.substr(0, k_short_id)},
          {"Name", network.name},
          {"Driver", "bridge"},
          {"Scope", "local"},
          {"Internal", network.closed ? "true" : "false"},
          {"CreatedAt", rfc3339(network.created)}};
}

int list_networks(const NetworkFlags& flags) {
  const bool is_table = flags.format.empty() || flags.format == "table";
  if (is_table && !flags.quiet)
    print("{:<{}}   {:<20}   {:<7}  SCOPE\n", "NETWORK ID", flags.whole ? 64 : 12, "NAME", "DRIVER");
  for (const auto& network : containers::list_networks(networks_of(flags))) {
    const auto row = network_row(network, flags.whole);
    const auto text = [&](const char* column) { return row[column].get<std::string>(); };
    if (flags.quiet) {
      print("{}\n", text("ID"));
    } else if (flags.format == "json") {
      print("{}\n", json_text(row, -1));
    } else if (!is_table) {
      print("{}\n", fill_template(flags.format, row.dump()));
    } else {
      print("{}   {:<20}   {:<7}  {}\n", text("ID"), text("Name"), text("Driver"), text("Scope"));
    }
  }
  return 0;
}

int create_network(const NetworkFlags& flags) {
  if (flags.names.size() != 1) throw usage_error("mbuild network create takes one name");
  if (flags.driver != "bridge") {
    throw usage_error(fmt::format("there is no network driver \"{}\"", flags.driver))
        .with_advice("Networks are of the driver bridge; for the host's network: mbuild run --network host");
  }
  Network wanted{.id = {}, .name = flags.names.front(), .subnet = {}, .closed = flags.closed};
  if (!flags.subnet.empty()) containers::parse_subnet(flags.subnet, wanted);
  for (const auto& label : flags.labels) {
    const auto equals = label.find('=');
    wanted.labels.emplace_back(label.substr(0, equals), equals == std::string::npos ? "" : label.substr(equals + 1));
  }
  print("{}\n", containers::create_network(networks_of(flags), std::move(wanted)).id);
  return 0;
}

ordered_json network_members(const containers::Shelf& shelf, const Network& network) {
  auto out = ordered_json::object();
  for (const auto& member : containers::members_of(shelf, network.name)) {
    out[member.record.id] = {{"Name", member.record.name},
                             {"IPv4Address", fmt::format("{}/{}", member.running->address, network.prefix)},
                             {"IPv6Address", ""}};
  }
  return out;
}

int inspect_networks(const NetworkFlags& flags) {
  const auto directory = containers_of(flags);
  auto list = ordered_json::array();
  const int status = for_each_name(flags.names, [&](const auto& name) {
    const auto network = containers::find_network(containers::networks_directory(directory), name);
    const auto subnet = fmt::format("{}/{}", network.subnet, network.prefix);
    list.push_back({{"Name", network.name},
                    {"Id", network.id},
                    {"Created", rfc3339(network.created)},
                    {"Scope", "local"},
                    {"Driver", "bridge"},
                    {"EnableIPv6", false},
                    {"IPAM", {{"Driver", "default"}, {"Config", ordered_json::array({{{"Subnet", subnet}}})}}},
                    {"Internal", network.closed},
                    {"Containers", network_members(containers::Shelf(directory), network)},
                    {"Labels", labels_of(network)}});
  });
  if (flags.format.empty()) {
    print("{}\n", json_text(list));
    return status;
  }
  for (const auto& one : list) {
    print("{}\n", flags.format == "json" ? json_text(one, -1) : fill_template(flags.format, one.dump()));
  }
  return status;
}

// Those that can't be removed are told of, and the others are removed all the same.
int remove_networks(const NetworkFlags& flags) {
  const auto directory = containers_of(flags);
  const auto networks = containers::networks_directory(directory);
  int status = 0;
  for (const auto& name : flags.names) {
    try {
      if (flags.force && !containers::read_network(networks, name)) continue;
      containers::remove_network(directory, containers::find_network(networks, name));
      print("{}\n", name);
    } catch (const Error& error) {
      print_error(error);
      status = 1;
    }
  }
  return status;
}

int prune_networks(const NetworkFlags& flags) {
  if (!flags.force && !confirm_removal("all networks that no container has", "mbuild network prune -f")) return 0;
  for (const auto& name : containers::prune_networks(containers_of(flags))) print("{}\n", name);
  return 0;
}

int refuse_change(const NetworkFlags&) {
  throw usage_error("a container has its network from its start to its end, and no other one")
      .with_advice("Run it anew with the network that it is to have: mbuild run --network NAME");
}

}  // namespace

void add_network_command(Command& top) {
  const auto flags = std::make_shared<NetworkFlags>();
  Command network = top.add("network", "Networks in which containers reach each other by name (--network NAME)");
  network.require_subcommand();
  const auto add = [&](const char* name, const char* help, int (*action)(const NetworkFlags&), Presence presence,
                       const char* alias = "") {
    Command command = add_store_command(network, flags, name, help, action, alias);
    if (presence != Presence::hidden) command.values("name", flags->names, "Names", presence);
    return command;
  };
  add("ls", "List the networks", list_networks, Presence::hidden, "list")
      .value("--format", flags->format, "table, json or a template ({{.Name}})")
      .flag("--no-trunc", flags->whole, "Whole ids")
      .flag("-q,--quiet", flags->quiet, "Ids only");
  add("create", "Make a network", create_network, Presence::required)
      .value("-d,--driver", flags->driver, "bridge")
      .flag("--internal", flags->closed, "Its containers reach each other alone")
      .values("--label", flags->labels, "NAME=VALUE")
      .value("--subnet", flags->subnet, "Addresses of its containers (10.210.3.0/24)");
  add("inspect", "Show networks as JSON", inspect_networks, Presence::required)
      .value("-f,--format", flags->format, "json or a template ({{.Id}})");
  add("rm", "Remove networks", remove_networks, Presence::required, "remove")
      .flag("-f,--force", flags->force, "Say nothing of those that are not there");
  add("prune", "Remove all networks that no container has", prune_networks, Presence::hidden)
      .flag("-f,--force", flags->force, "Do not ask");
  add("connect", "Not done: a container has its network from its start on", refuse_change, Presence::optional);
  add("disconnect", "Not done: a container has its network to its end", refuse_change, Presence::optional);
}

}  // namespace mbuild::cli
