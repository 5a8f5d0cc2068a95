#include "containers/ports.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/ip_address.h"
#include "base/strings.h"

namespace mbuild::containers {
namespace {

Error invalid(const std::string& text, std::string_view why) {
  return usage_error(fmt::format("invalid -p \"{}\": {}", text, why))
      .with_advice("It is [ADDRESS:][HOST-PORT:]CONTAINER-PORT[/tcp|/udp].");
}

struct PortRange {
  unsigned first = 0, count = 1;
};

PortRange parse_range(const std::string& text, const std::string& whole) {
  const auto number = [&](const std::string& part) {
    unsigned value = 0;
    const auto end = std::from_chars(part.data(), part.data() + part.size(), value);
    if (part.empty() || end.ec != std::errc() || end.ptr != part.data() + part.size() || value == 0 || value > 65535) {
      throw invalid(whole, fmt::format("\"{}\" is no port", part));
    }
    return value;
  };
  const auto dash = text.find('-');
  if (dash == std::string::npos) return {number(text), 1};
  const unsigned first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
  if (last < first) throw invalid(whole, "the range ends before it begins");
  return {first, last - first + 1};
}

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

Address address_of(const Port& port) {
  Address out;
  if (port.address.find(':') != std::string::npos) {
    auto* six = reinterpret_cast<sockaddr_in6*>(&out.storage);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<std::uint16_t>(port.host));
    ::inet_pton(AF_INET6, port.address.c_str(), &six->sin6_addr);
    out.length = sizeof *six;
  } else {
    auto* four = reinterpret_cast<sockaddr_in*>(&out.storage);
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<std::uint16_t>(port.host));
    if (!port.address.empty()) ::inet_pton(AF_INET, port.address.c_str(), &four->sin_addr);
    out.length = sizeof *four;
  }
  return out;
}

// A socket that has the port; errno where it can't be had.
Fd bound(const Port& port) {
  const auto address = address_of(port);
  Fd out(::socket(address.storage.ss_family, (port.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
  const int yes = 1;
  if (out && !port.udp) ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (!out || ::bind(out.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) < 0) return {};
  return out;
}

// The inode of a socket that listens at the port.
std::string socket_at(const Port& port) {
  const std::string hex = fmt::format(":{:04X}", port.host);
  for (const char* family : {"", "6"}) {
    const std::string path = fmt::format("/proc/net/{}{}", port.udp ? "udp" : "tcp", family);
    if (!path_exists(path)) continue;
    for (const auto& line : split(read_file(path), '\n')) {
      std::vector<std::string> fields;
      for (auto& field : split(line, ' ')) {
        if (!field.empty()) fields.push_back(std::move(field));
      }
      const bool listens = fields.size() > 9 && (port.udp || fields[3] == "0A");
      if (listens && fields[1].ends_with(hex)) return fields[9];
    }
  }
  return "";
}

// "the process 12 (nginx)", "" where it is not to be seen.
std::string holder_of(const Port& port) {
  const std::string inode = socket_at(port);
  if (inode.empty()) return "";
  const std::string wanted = fmt::format("socket:[{}]", inode);
  std::error_code none;
  for (const auto& process : std::filesystem::directory_iterator("/proc", none)) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code hidden;
    for (const auto& entry : std::filesystem::directory_iterator(process.path() / "fd", hidden)) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry.path(), gone) != wanted) continue;
      const std::string name = path_exists("/proc/" + pid + "/comm") ? read_file("/proc/" + pid + "/comm") : "";
      return fmt::format("the process {} ({})", pid, trim(name));
    }
  }
  return "a process of another user";
}

}  // namespace

std::vector<Port> parse_publish(const std::string& text) {
  std::string rest = text;
  Port port;
  if (const auto slash = rest.find('/'); slash != std::string::npos) {
    const std::string protocol = to_lower(rest.substr(slash + 1));
    if (protocol != "tcp" && protocol != "udp")
      throw invalid(text, fmt::format("there is no protocol \"{}\"", protocol));
    port.udp = protocol == "udp";
    rest.erase(slash);
  }
  if (rest.starts_with('[')) {
    const auto end = rest.find("]:");
    if (end == std::string::npos) throw invalid(text, "the address has no end");
    port.address = rest.substr(1, end - 1);
    rest.erase(0, end + 2);
  }
  auto parts = split(rest, ':');
  if (port.address.empty() && parts.size() == 3) {
    port.address = parts.front();
    parts.erase(parts.begin());
  }
  if (!port.address.empty() && !is_ip_address(port.address)) {
    throw invalid(text, fmt::format("\"{}\" is no address", port.address));
  }
  if (parts.size() > 2) throw invalid(text, "it has too many parts");
  const auto inside = parse_range(parts.back(), text);
  PortRange outside{0, inside.count};
  if (parts.size() == 2 && !parts.front().empty()) outside = parse_range(parts.front(), text);
  if (outside.count != inside.count) throw invalid(text, "the ranges are not of one length");
  std::vector<Port> out;
  for (unsigned i = 0; i < inside.count; ++i) {
    port.container = inside.first + i;
    port.host = outside.first == 0 ? 0 : outside.first + i;
    out.push_back(port);
  }
  return out;
}

void choose_port(Port& port) {
  if (port.host != 0) return;
  const Fd socket = bound(port);
  sockaddr_storage address = {};
  socklen_t length = sizeof address;
  if (!socket || ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) < 0) {
    throw system_error(errno, "choose a port of the host", ExitClass::host);
  }
  // Both kinds of addresses have the port at the same place.
  port.host = ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

void add_exposed_ports(const std::vector<std::string>& exposed, std::vector<Port>& into) {
  for (const auto& text : exposed) {
    for (auto& port : parse_publish(text)) {
      const auto same = [&](const Port& other) { return other.container == port.container && other.udp == port.udp; };
      if (std::ranges::any_of(into, same)) continue;
      choose_port(port);
      into.push_back(port);
    }
  }
}

void check_ports(const std::vector<Port>& ports) {
  for (const auto& port : ports) {
    if (bound(port)) continue;
    const int code = errno;
    Error error(ExitClass::host,
                fmt::format("the port {} of the host can't be had: {}", port.host, std::strerror(code)));
    if (code == EADDRINUSE) {
      const auto holder = holder_of(port);
      if (!holder.empty()) error.message += fmt::format(", {} has it", holder);
      throw std::move(error).with_advice("Publish another port (-p HOST-PORT:CONTAINER-PORT), or end what has it.");
    }
    if (code == EACCES) {
      throw std::move(error).with_advice(
          fmt::format("Ports below 1024 are for root, unless the host says otherwise: sudo sysctl "
                      "net.ipv4.ip_unprivileged_port_start={}",
                      port.host));
    }
    throw error;
  }
}

std::vector<std::string> pasta_ports(const std::vector<Port>& ports, bool udp) {
  std::vector<std::string> out;
  for (const auto& port : ports) {
    if (port.udp != udp) continue;
    out.push_back(fmt::format("{}{}{}:{}", port.address, port.address.empty() ? "" : "/", port.host, port.container));
  }
  return out;
}

std::string to_string(const Port& port) {
  const bool is_six = port.address.find(':') != std::string::npos;
  const std::string address = port.address.empty() ? "0.0.0.0" : is_six ? "[" + port.address + "]" : port.address;
  return fmt::format("{}:{}->{}/{}", address, port.host, port.container, port.udp ? "udp" : "tcp");
}

}  // namespace mbuild::containers
