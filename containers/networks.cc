#include "containers/networks.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <set>

#include "base/clock.h"
#include "base/codec.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cache/locks.h"
#include "executor/api/option_values.h"
#include "worker/sandbox/network_interfaces.h"

namespace mbuild::containers {
namespace {

constexpr std::string_view k_network_version = "mbuild network 1\n";
// Of the addresses that are for everybody's own use (RFC 1918), where neither docker nor podman takes theirs.
constexpr std::uint32_t k_first_subnet = 10u << 24 | 210u << 16, k_subnets = 256 * 16;
constexpr const char* k_own_words[] = {"default", "none", "host", "bridge"};

std::string record_path(const std::string& networks, const std::string& name) {
  return network_directory(networks, name) + "/record";
}

void check_network_name(const std::string& name) {
  try {
    check_name(name);
  } catch (const Error&) {
    throw usage_error(fmt::format("invalid network name \"{}\"", name))
        .with_advice("It has two letters or digits or more; dots, dashes and underscores may follow the first.");
  }
  if (std::ranges::find(k_own_words, name) == std::end(k_own_words)) return;
  throw usage_error(fmt::format("\"{}\" is no name for a network: it is a word of --network's own", name))
      .with_advice("Choose another name.");
}

std::uint32_t number_of_address(const std::string& text) {
  in_addr address = {};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ? ntohl(address.s_addr) : 0;
}

std::string text_of_address(std::uint32_t number) {
  const in_addr address = {htonl(number)};
  char text[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &address, text, sizeof text);
  return text;
}

std::uint32_t mask_of(unsigned prefix) { return prefix == 0 ? 0 : ~0u << (32 - prefix); }

bool overlap(const Network& a, const Network& b) {
  const auto mask = mask_of(std::min(a.prefix, b.prefix));
  return (number_of_address(a.subnet) & mask) == (number_of_address(b.subnet) & mask);
}

bool has_address(const Network& network, const std::string& address) {
  const auto number = number_of_address(address);
  return number != 0 && (number & mask_of(network.prefix)) == number_of_address(network.subnet);
}

void choose_subnet(const std::vector<Network>& others, Network& network) {
  const auto host = executor::interface_addresses();
  for (std::uint32_t i = 0; i < k_subnets; ++i) {
    network.subnet = text_of_address(k_first_subnet + (i << 8));
    const auto taken = [&](const Network& other) { return overlap(network, other); };
    const auto own = [&](const auto& address) { return has_address(network, address.address); };
    if (std::ranges::none_of(others, taken) && std::ranges::none_of(host, own)) return;
  }
  throw usage_error("there is no subnet left for another network").with_advice("mbuild network prune");
}

Error no_network(const std::string& word) {
  return usage_error("no such network: " + word)
      .with_advice(
          fmt::format("Make it first: mbuild network create {} (mbuild network ls lists those there are).", word));
}

std::set<std::string> used_networks(const Shelf& shelf) {
  std::set<std::string> out;
  for (const auto& container : shelf.list()) out.insert(container.record.options.network.name);
  return out;
}

void take_network_away(const std::string& networks, const std::string& name) {
  const std::string gone = fmt::format("{}/{}{}", networks, k_gone, random_hex(8));
  if (std::rename(network_directory(networks, name).c_str(), gone.c_str()) != 0) {
    throw system_error(errno, "remove the network " + name);
  }
  std::filesystem::remove_all(gone);
}

}  // namespace

std::string networks_directory(const std::string& containers) { return dir_name(containers) + "/networks"; }

std::string network_directory(const std::string& networks, const std::string& name) { return networks + "/" + name; }

Network create_network(const std::string& networks, Network wanted) {
  check_network_name(wanted.name);
  make_directories(networks, 0700);
  const auto making = cache::FileLock::acquire(networks + "/.lock");
  const auto others = list_networks(networks);
  if (std::ranges::find(others, wanted.name, &Network::name) != others.end()) {
    throw usage_error(fmt::format("the network {} is there already", wanted.name))
        .with_advice(fmt::format("Use it, choose another name, or remove it first: mbuild network rm {}", wanted.name));
  }
  for (const auto& other : others) {
    if (wanted.subnet.empty() || !overlap(wanted, other)) continue;
    throw usage_error(
        fmt::format("the subnet {}/{} overlaps that of the network {}", wanted.subnet, wanted.prefix, other.name))
        .with_advice(fmt::format("It has {}/{}: choose another one.", other.subnet, other.prefix));
  }
  if (wanted.subnet.empty()) choose_subnet(others, wanted);
  wanted.id = new_id();
  wanted.created = unix_seconds();
  make_directories(network_directory(networks, wanted.name), 0700);
  write_file_atomically(record_path(networks, wanted.name), std::string(k_network_version) + executor::encode(wanted),
                        0600);
  return wanted;
}

std::optional<Network> read_network(const std::string& networks, const std::string& name) {
  const std::string path = record_path(networks, name);
  if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.') || !path_exists(path)) return {};
  try {
    const std::string bytes = read_file(path);
    if (!bytes.starts_with(k_network_version)) return std::nullopt;
    return executor::decode<Network>(std::string_view(bytes).substr(k_network_version.size()));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<Network> list_networks(const std::string& networks) {
  std::vector<Network> out;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(networks, none)) {
    if (auto network = read_network(networks, entry.path().filename())) out.push_back(std::move(*network));
  }
  std::ranges::sort(out, {}, &Network::name);
  return out;
}

Network find_network(const std::string& networks, const std::string& word) {
  if (auto named = read_network(networks, word)) return std::move(*named);
  std::vector<Network> found;
  for (auto& network : list_networks(networks)) {
    if (!word.empty() && network.id.starts_with(word)) found.push_back(std::move(network));
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.size() > 1) {
    throw usage_error(fmt::format("{} means {} networks", word, found.size())).with_advice("Give more of the id.");
  }
  throw no_network(word);
}

std::vector<Container> members_of(const Shelf& shelf, const std::string& network) {
  std::vector<Container> out;
  for (auto& container : shelf.list()) {
    if (container.state == State::running && container.record.options.network.name == network)
      out.push_back(std::move(container));
  }
  return out;
}

void remove_network(const std::string& containers, const Network& network) {
  // Those that are about to run, too: they join before their image is there.
  auto members = Shelf(containers).list();
  std::erase_if(members,
                [&](const auto& one) { return one.record.options.network.name != network.name || !is_held(one); });
  if (!members.empty()) {
    throw usage_error(fmt::format("the container {} runs in the network {}", members.front().record.name, network.name))
        .with_advice(fmt::format("Stop it first: mbuild stop {}", members.front().record.name));
  }
  take_network_away(networks_directory(containers), network.name);
}

std::vector<std::string> prune_networks(const std::string& containers,
                                        const std::function<bool(const Network&)>& is_meant) {
  const auto used = used_networks(Shelf(containers));
  const auto networks = networks_directory(containers);
  std::vector<std::string> out;
  for (const auto& network : list_networks(networks)) {
    if (used.contains(network.name) || !is_meant(network)) continue;
    take_network_away(networks, network.name);
    out.push_back(network.name);
  }
  return out;
}

void check_alias(const std::string& alias) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (!alias.empty() && alias.size() <= 253 && std::ranges::all_of(alias, fits)) return;
  throw usage_error(fmt::format("invalid --network-alias \"{}\"", alias))
      .with_advice("It has letters, digits, dots, dashes and underscores.");
}

void parse_subnet(const std::string& text, Network& into) {
  const auto slash = text.find('/');
  const auto prefix = slash == std::string::npos ? "" : text.substr(slash + 1);
  unsigned bits = 0;
  const auto parsed = std::from_chars(prefix.data(), prefix.data() + prefix.size(), bits);
  const auto number = number_of_address(text.substr(0, slash));
  const bool is_number = !prefix.empty() && parsed.ec == std::errc() && parsed.ptr == prefix.data() + prefix.size();
  if (number == 0 || !is_number || bits < 8 || bits > 29 || (number & ~mask_of(bits)) != 0) {
    throw usage_error(fmt::format("invalid subnet \"{}\"", text))
        .with_advice("It is the first address of an IPv4 subnet and its length, from /8 to /29: 10.210.3.0/24");
  }
  into.subnet = text.substr(0, slash);
  into.prefix = bits;
}

std::string address_in(const Network& network, std::uint32_t number) {
  const auto last = ~mask_of(network.prefix) - 1;  // the one after it is for all
  return number == 0 || number > last ? "" : text_of_address(number_of_address(network.subnet) + number);
}

NetworkChoice choose_network(const std::string& containers, const std::string& word) {
  constexpr std::string_view k_container = "container:";
  NetworkChoice out;
  if (word == "bridge") return out;  // as docker calls its default
  if (word.empty() || std::ranges::find(k_own_words, word) != std::end(k_own_words)) {
    out.mode = executor::parse_network(word);
  } else if (word.starts_with(k_container)) {
    const auto other = Shelf(containers).find(word.substr(k_container.size()));
    out.container = other.record.id;
    if (other.record.options.network.mode == graph::NetworkMode::host) out.mode = graph::NetworkMode::host;
  } else {
    out.name = find_network(networks_directory(containers), word).name;
  }
  return out;
}

}  // namespace mbuild::containers
