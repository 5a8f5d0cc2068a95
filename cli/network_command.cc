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
#include "cli/display/listing.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "cli/filters.h"
#include "cli/inspect_command.h"
#include "cli/prune_filters.h"
#include "cli/removals.h"
#include "containers/networks.h"
#include "containers/option_values.h"
#include "executor/outputs/stored_images.h"

namespace mbuild::cli {
namespace {

using containers::Network;
using nlohmann::ordered_json;

struct NetworkFlags {
  std::string root, format, driver = "bridge", subnet;
  std::vector<std::string> names, labels, filters;
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

const Listing k_networks{.fields = {{"CreatedAt", "CREATED AT"},
                                    {"Driver", "DRIVER"},
                                    {"ID", "NETWORK ID"},
                                    {"IPv6", "IPV6"},
                                    {"Internal", "INTERNAL"},
                                    {"Labels", "LABELS"},
                                    {"Label", ""},
                                    {"Name", "NAME"},
                                    {"Scope", "SCOPE"}},
                         .table = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
                         .quiet = "ID"};

ordered_json network_row(const Network& network, bool whole) {
  constexpr std::size_t k_short_id = 12;
  return {{"CreatedAt", rfc3339(network.created)},
          {"Driver", "bridge"},
          {"ID", whole ? network.id : network.id.substr(0, k_short_id)},
          {"IPv6", "false"},
          {"Internal", network.closed ? "true" : "false"},
          {"Labels", label_text(network.labels)},
          {"Label", labels_of(network)},
          {"Name", network.name},
          {"Scope", "local"}};
}

std::vector<Filter<Network>> network_filters() {
  using Test = std::function<bool(const Network&)>;
  return {
      {"id",
       [](const std::string& text) -> Test { return [text](const Network& one) { return one.id.starts_with(text); }; }},
      {"name",
       [](const std::string& text) -> Test {
         return [text](const Network& one) { return one.name.find(text) != std::string::npos; };
       }},
      {"driver", [](const std::string& text) -> Test { return [text](const Network&) { return text == "bridge"; }; }},
      {"label",
       [](const std::string& text) -> Test {
         return [text](const Network& one) { return has_label(one.labels, text); };
       },
       true}};
}

int list_networks(const NetworkFlags& flags) {
  const auto is_meant = parse_filters(flags.filters, network_filters());
  std::vector<ordered_json> rows;
  for (const auto& network : containers::list_networks(networks_of(flags))) {
    if (is_meant(network)) rows.push_back(network_row(network, flags.whole));
  }
  write_out(listing_text(k_networks, rows, {.format = flags.format, .quiet = flags.quiet}));
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
  for (const auto& label : flags.labels) containers::add_label(label, wanted.labels);
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
  const auto store = executor::open_store(store_root(flags.root));
  return show_inspected(flags.names, flags.format, [&](const auto& name) { return network_json(store, name); });
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

std::function<bool(const Network&)> parse_network_filters(const std::vector<std::string>& filters) {
  return parse_filters(
      filters,
      prune_filters<Network>(
          {.created = [](const Network& one) { return one.created; },
           .is_labelled = [](const Network& one, const std::string& text) { return has_label(one.labels, text); }}));
}

int prune_networks(const NetworkFlags& flags) {
  parse_network_filters(flags.filters);  // before a question
  if (!flags.force && !confirm_removal("all networks that no container has", "mbuild network prune -f")) return 0;
  remove_unused_networks(store_root(flags.root), flags.filters, [](const auto& name) { print("{}\n", name); });
  return 0;
}

int refuse_change(const NetworkFlags&) {
  throw usage_error("a container has its network from its start to its end, and no other one")
      .with_advice("Run it anew with the network that it is to have: mbuild run --network NAME");
}

}  // namespace

void remove_unused_networks(const std::string& store_root, const std::vector<std::string>& filters, const Tell& tell) {
  const auto is_meant = parse_network_filters(filters);
  const auto containers = containers::containers_directory(executor::open_store(store_root));
  for (const auto& name : containers::prune_networks(containers, is_meant)) tell(name);
}

ordered_json network_json(const cache::Store& store, const std::string& name) {
  const auto directory = containers::containers_directory(store);
  const auto network = containers::find_network(containers::networks_directory(directory), name);
  const auto subnet = fmt::format("{}/{}", network.subnet, network.prefix);
  return {{"Name", network.name},
          {"Id", network.id},
          {"Created", rfc3339(network.created)},
          {"Scope", "local"},
          {"Driver", "bridge"},
          {"EnableIPv6", false},
          {"IPAM", {{"Driver", "default"}, {"Config", ordered_json::array({{{"Subnet", subnet}}})}}},
          {"Internal", network.closed},
          {"Containers", network_members(containers::Shelf(directory), network)},
          {"Labels", labels_of(network)}};
}

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
      .values("-f,--filter", flags->filters, "Those alone: name=shop, label=a=b, ...")
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
      .flag("-f,--force", flags->force, "Do not ask")
      .values("--filter", flags->filters, "Those alone: until=24h, label=a=b, label!=a");
  add("connect", "Not done: a container has its network from its start on", refuse_change, Presence::optional);
  add("disconnect", "Not done: a container has its network to its end", refuse_change, Presence::optional);
}

}  // namespace mbuild::cli
