#include "worker/sandbox/network_interfaces.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"

namespace mbuild::executor {
namespace {

// The bytes of an address of either family.
struct RawAddress {
  int family = AF_INET;
  unsigned char bytes[16] = {};
  std::size_t size() const { return family == AF_INET ? 4 : 16; }
  bool is_link_local() const { return family == AF_INET6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80; }
};

std::optional<RawAddress> parse_address(const std::string& text) {
  RawAddress out;
  if (::inet_pton(AF_INET, text.c_str(), out.bytes) == 1) return out;
  out.family = AF_INET6;
  if (::inet_pton(AF_INET6, text.c_str(), out.bytes) == 1) return out;
  return std::nullopt;
}

std::string address_text(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const void* bytes = address.sa_family == AF_INET
                          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr)
                          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  return ::inet_ntop(address.sa_family, bytes, text, sizeof text) != nullptr ? text : "";
}

// Of the interface that leads outside; 0 when there is none.
unsigned outer_interface() {
  const std::unique_ptr<struct if_nameindex, decltype(&::if_freenameindex)> list(::if_nameindex(), ::if_freenameindex);
  for (const auto* at = list.get(); at != nullptr && at->if_index != 0; ++at) {
    if (std::string_view(at->if_name) != "lo") return at->if_index;
  }
  return 0;
}

struct AddAddress {
  nlmsghdr header = {};
  ifaddrmsg message = {};
  unsigned char attributes[64] = {};
};

void add_attribute(AddAddress& request, unsigned short type, const RawAddress& address) {
  rtattr attribute = {};
  attribute.rta_type = type;
  attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(address.size()));
  auto* at = reinterpret_cast<unsigned char*>(&request) + request.header.nlmsg_len;
  std::memcpy(at, &attribute, sizeof attribute);
  std::memcpy(at + RTA_LENGTH(0), address.bytes, address.size());
  request.header.nlmsg_len += static_cast<std::uint32_t>(RTA_ALIGN(attribute.rta_len));
}

// The kernel's answer, 0 or an errno.
int ask(int netlink, const nlmsghdr& request) {
  if (::send(netlink, &request, request.nlmsg_len, 0) < 0) return errno;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    unsigned char rest[1024];
  } answer = {};
  if (::recv(netlink, &answer, sizeof answer, 0) < 0) return errno;
  return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
}

int add_address(int netlink, const RawAddress& address, unsigned interface) {
  AddAddress request;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.message);
  request.header.nlmsg_type = RTM_NEWADDR;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  request.message.ifa_family = static_cast<unsigned char>(address.family);
  request.message.ifa_prefixlen = static_cast<unsigned char>(8 * address.size());
  request.message.ifa_flags = IFA_F_NODAD;
  request.message.ifa_scope = address.is_link_local() ? RT_SCOPE_LINK : RT_SCOPE_HOST;
  request.message.ifa_index = interface;
  add_attribute(request, IFA_LOCAL, address);
  add_attribute(request, IFA_ADDRESS, address);
  return ask(netlink, request.header);
}

void block(int netlink, const RawAddress& address, std::size_t prefix, unsigned interface) {
  struct {
    nlmsghdr header;
    xfrm_userpolicy_info policy;
  } request = {};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = XFRM_MSG_NEWPOLICY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  auto& policy = request.policy;
  policy.sel.family = static_cast<std::uint16_t>(address.family);
  std::memcpy(&policy.sel.daddr, address.bytes, address.size());
  policy.sel.prefixlen_d = static_cast<std::uint8_t>(prefix);
  policy.sel.ifindex = static_cast<int>(interface);
  policy.lft.soft_byte_limit = policy.lft.hard_byte_limit = XFRM_INF;
  policy.lft.soft_packet_limit = policy.lft.hard_packet_limit = XFRM_INF;
  policy.dir = XFRM_POLICY_OUT;
  policy.action = XFRM_POLICY_BLOCK;
  ask(netlink, request.header);
}

// The kernel lacks the protocol, or has it switched off: then nothing can be sent to the address either.
bool is_unsupported(int code) { return code == EAFNOSUPPORT || code == EOPNOTSUPP || code == EACCES; }

void write_setting(const std::string& path, const std::string& value) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] const auto written = fd ? ::write(fd.get(), value.data(), value.size()) : 0;
}

}  // namespace

std::vector<InterfaceAddress> interface_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) < 0) throw system_error(errno, "list the addresses of the host", ExitClass::host);
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, ::freeifaddrs);
  std::vector<InterfaceAddress> out;
  for (const auto* at = list.get(); at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    if (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6) continue;
    out.push_back({address_text(*at->ifa_addr), (at->ifa_flags & IFF_LOOPBACK) != 0});
  }
  return out;
}

void make_lasting_tap(const char* name) {
  const Fd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request = {};
  std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (!tun || ::ioctl(tun.get(), TUNSETIFF, &request) < 0 || ::ioctl(tun.get(), TUNSETPERSIST, 1) < 0) {
    throw system_error(errno, fmt::format("make the interface {}", name), ExitClass::host);
  }
}

void remove_interface(const char* name) {
  struct {
    nlmsghdr header;
    ifinfomsg message;
  } request = {};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_DELLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.message.ifi_index = static_cast<int>(::if_nametoindex(name));
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (netlink && request.message.ifi_index != 0) ask(netlink.get(), request.header);
}

void raise_loopback() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!socket || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) < 0) {
    throw system_error(errno, "bring up the loopback interface", ExitClass::host);
  }
}

void add_own_addresses(const std::vector<InterfaceAddress>& addresses) {
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink) throw system_error(errno, "netlink", ExitClass::host);
  const unsigned loopback = ::if_nametoindex("lo"), outside = outer_interface();
  const auto present = interface_addresses();
  const auto is_present = [&](const InterfaceAddress& address) {
    return std::any_of(present.begin(), present.end(), [&](const auto& own) { return own.address == address.address; });
  };
  for (const auto& address : addresses) {
    const auto raw = parse_address(address.address);
    if (!raw || address.address.starts_with("127.") || is_present(address)) continue;
    // A link's own addresses mean something else on each link.
    const unsigned interface = raw->is_link_local() && outside != 0 ? outside : loopback;
    const int code = add_address(netlink.get(), *raw, interface);
    if (code == 0 || code == EEXIST || (raw->family == AF_INET6 && is_unsupported(code))) continue;
    throw system_error(code, fmt::format("keep {} inside the network of the build", address.address), ExitClass::host);
  }
}

void keep_inside(const std::vector<InterfaceAddress>& addresses) {
  const Fd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM));
  const unsigned outside = outer_interface();
  if (!netlink || outside == 0) return;
  block(netlink.get(), *parse_address("127.0.0.0"), 8, outside);
  block(netlink.get(), *parse_address("::1"), 128, outside);
  for (const auto& address : addresses) {
    const auto raw = parse_address(address.address);
    if (raw && !address.loopback) block(netlink.get(), *raw, 8 * raw->size(), outside);
  }
}

std::string ping_groups(std::string_view gid_map) {
  constexpr std::uint64_t k_end = 0x80000000;  // the kernel takes no greater ones here
  struct Range {
    std::uint64_t inside, outside, count;
  };
  std::vector<Range> ranges;
  for (const auto& line : split(gid_map, '\n')) {
    std::vector<std::uint64_t> fields;
    for (const auto& word : split(line, ' ')) {
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
      if (!word.empty() && error == std::errc()) fields.push_back(value);
    }
    if (fields.size() != 3 || fields[2] == 0 || fields[0] >= k_end) continue;
    ranges.push_back({fields[0], fields[1], std::min(fields[2], k_end - fields[0])});
  }
  if (ranges.empty()) return "";
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.inside < b.inside; });
  const auto out = [](const Range& first, const Range& last) {
    return fmt::format("{} {}", first.inside, last.inside + last.count - 1);
  };
  const auto by_outside = [](const auto& a, const auto& b) { return a.outside < b.outside; };
  if (std::is_sorted(ranges.begin(), ranges.end(), by_outside)) return out(ranges.front(), ranges.back());
  const auto largest =
      *std::max_element(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.count < b.count; });
  return out(largest, largest);
}

void allow_ports_and_ping(const std::string& proc, std::string_view gid_map) {
  write_setting(proc + "/sys/net/ipv4/ip_unprivileged_port_start", "0");
  write_setting(proc + "/sys/net/ipv4/ping_group_range", ping_groups(gid_map));
}

bool has_default_route(std::string_view route, std::string_view ipv6_route) {
  constexpr unsigned k_reject = 0x200;  // RTF_REJECT
  const auto words = [](std::string line) {
    std::replace(line.begin(), line.end(), '\t', ' ');
    std::vector<std::string> out;
    for (auto& word : split(line, ' ')) {
      if (!word.empty()) out.push_back(std::move(word));
    }
    return out;
  };
  const auto flags = [](const std::string& word) {
    unsigned value = 0;
    std::from_chars(word.data(), word.data() + word.size(), value, 16);
    return value;
  };
  for (const auto& line : split(route, '\n')) {  // interface, destination, gateway, flags, ..., mask (8th)
    const auto fields = words(line);
    if (fields.size() > 7 && fields[1] == "00000000" && fields[7] == "00000000" && (flags(fields[3]) & k_reject) == 0) {
      return true;
    }
  }
  for (const auto& line : split(ipv6_route, '\n')) {  // destination, prefix, ..., flags (9th), interface
    const auto fields = words(line);
    if (fields.size() == 10 && fields[1] == "00" && fields[9] != "lo" && (flags(fields[8]) & k_reject) == 0 &&
        fields[0] == std::string(32, '0')) {
      return true;
    }
  }
  return false;
}

}  // namespace mbuild::executor
