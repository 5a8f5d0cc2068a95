#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

using Bits = unsigned __int128;

constexpr std::int64_t k_new_bits_limit = 32;

// Addresses of one family are numbers of `width` bits; those of a network share the first `length`.
struct Network {
  Bits first = 0;
  int length = 0;
  int width = 32;

  int host_bits() const { return width - length; }
};

Bits low_mask(int bits) { return bits >= 128 ? ~Bits{0} : (Bits{1} << bits) - 1; }

std::optional<Bits> parse_address(const std::string& text, int width) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(width == 32 ? AF_INET : AF_INET6, text.c_str(), bytes.data()) != 1) {
    return std::nullopt;
  }
  Bits address = 0;
  for (int i = 0; i < width / 8; ++i) {
    address = address << 8 | bytes[static_cast<std::size_t>(i)];
  }
  return address;
}

// The first of the longest runs of zero groups, if it has two or more: where it begins and ends.
std::pair<std::size_t, std::size_t> longest_zeros(const std::array<unsigned, 8>& groups) {
  std::pair<std::size_t, std::size_t> longest;
  for (std::size_t begin = 0; begin < groups.size(); ++begin) {
    std::size_t end = begin;
    while (end < groups.size() && groups[end] == 0) {
      ++end;
    }
    if (end - begin >= 2 && end - begin > longest.second - longest.first) {
      longest = {begin, end};
    }
  }
  return longest;
}

// Of IPv6 (RFC 5952). inet_ntop writes the end of some addresses as IPv4: "::0.1.0.0".
std::string canonical_text(const std::array<unsigned char, 16>& bytes) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<unsigned>(bytes[2 * i]) << 8 | bytes[2 * i + 1];
  }
  const auto [begin, end] = longest_zeros(groups);
  std::string text;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i == begin && end > begin) {
      text += "::";
      i = end - 1;
    } else {
      text += fmt::format("{}{:x}", text.empty() || text.ends_with(':') ? "" : ":", groups[i]);
    }
  }
  return text;
}

std::string address_text(Bits address, int width) {
  std::array<unsigned char, 16> bytes{};
  for (int i = width / 8; i-- > 0; address >>= 8) {
    bytes[static_cast<std::size_t>(i)] = static_cast<unsigned char>(address & 0xFF);
  }
  char text[INET_ADDRSTRLEN];
  return width == 32 ? inet_ntop(AF_INET, bytes.data(), text, sizeof text) : canonical_text(bytes);
}

Network parse_network(Arguments arguments) {
  const std::string& text = as_string(arguments[0]);
  const std::size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  Network network;
  network.width = address.find(':') == std::string::npos ? 32 : 128;
  const auto first = parse_address(address, network.width);
  const std::string_view length = slash == std::string::npos ? "" : std::string_view(text).substr(slash + 1);
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), network.length);
  const bool number = error == std::errc{} && end == length.data() + length.size();
  if (!first || !number || network.length < 0 || network.length > network.width) {
    throw CallError("a prefix such as 10.0.0.0/8 is required", 0);
  }
  network.first = *first & ~low_mask(network.host_bits());
  return network;
}

std::string network_text(const Network& network) {
  return fmt::format("{}/{}", address_text(network.first, network.width), network.length);
}

Network narrowed(const Network& network, std::int64_t new_bits, std::size_t argument) {
  if (new_bits < 0 || new_bits > k_new_bits_limit || new_bits > network.host_bits()) {
    throw CallError(fmt::format("a prefix of {} bits cannot be extended by {} (at most {})", network.length, new_bits,
                                std::min<std::int64_t>(k_new_bits_limit, network.host_bits())),
                    argument);
  }
  Network narrow = network;
  narrow.length += static_cast<int>(new_bits);
  return narrow;
}

Value cidrhost(Arguments arguments) {
  const Network network = parse_network(arguments);
  const std::int64_t number = whole_argument(arguments, 1);
  const Bits last = low_mask(network.host_bits());
  const Bits offset = number < 0 ? static_cast<Bits>(-(number + 1)) : static_cast<Bits>(number);
  if (offset > last) {
    throw CallError(fmt::format("a prefix of {} bits has no host {}", network.length, number), 1);
  }
  return string_value(address_text(network.first | (number < 0 ? last - offset : offset), network.width));
}

Value cidrnetmask(Arguments arguments) {
  const Network network = parse_network(arguments);
  if (network.width != 32) {
    throw CallError("only IPv4 has netmasks", 0);
  }
  return string_value(address_text(low_mask(32) & ~low_mask(network.host_bits()), 32));
}

Value cidrsubnet(Arguments arguments) {
  Network network = narrowed(parse_network(arguments), whole_argument(arguments, 1), 1);
  const std::int64_t number = whole_argument(arguments, 2);
  if (number < 0 || static_cast<Bits>(number) > low_mask(static_cast<int>(whole_argument(arguments, 1)))) {
    throw CallError(fmt::format("there is no subnet {} of that size", number), 2);
  }
  network.first |= static_cast<Bits>(number) << network.host_bits();
  return string_value(network_text(network));
}

// One after the other, each at the next place that its size allows.
Value cidrsubnets(Arguments arguments) {
  const Network whole = parse_network(arguments);
  const Bits last = whole.first | low_mask(whole.host_bits());
  Elements subnets;
  Bits previous_last = 0;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::int64_t new_bits = whole_argument(arguments, i);
    if (new_bits < 1) {
      throw CallError("a prefix is extended by at least one bit", i);
    }
    Network subnet = narrowed(whole, new_bits, i);
    const Bits size_mask = low_mask(subnet.host_bits());
    if (i > 1) {
      subnet.first = (previous_last + 1 + size_mask) & ~size_mask;
      if (subnet.first <= previous_last || subnet.first > last) {
        throw CallError("there is no room left in the prefix", i);
      }
    }
    previous_last = subnet.first | size_mask;
    subnets.push_back(string_value(network_text(subnet)));
  }
  return list_value(string_type(), std::move(subnets));
}

}  // namespace

void add_cidr(Table& table) {
  define(table, "cidrhost", {text("prefix"), number("hostnum")}, cidrhost);
  define(table, "cidrnetmask", {text("prefix")}, cidrnetmask);
  define(table, "cidrsubnet", {text("prefix"), number("newbits"), number("netnum")}, cidrsubnet);
  define_variadic(table, "cidrsubnets", {text("prefix")}, number("newbits"), cidrsubnets);
}

}  // namespace mbuild::bake::hcl
