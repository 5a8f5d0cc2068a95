#include "worker/sandbox/bridge.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"

namespace mbuild::executor {
namespace {

constexpr const char* k_bridge = "bridge0";
constexpr const char* k_end = "net0";  // in the namespaces that lead to the bridge

// A request to the kernel: a header, a fixed part, and attributes, some of which hold others.
class NetlinkRequest {
 public:
  template <class Part>
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, const Part& part) {
    nlmsghdr header = {};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    append(&header, sizeof header);
    append(&part, sizeof part);
  }

  void add(std::uint16_t type, std::string_view bytes) {
    const rtattr attribute = {static_cast<std::uint16_t>(RTA_LENGTH(bytes.size())), type};
    append(&attribute, sizeof attribute);
    append(bytes.data(), bytes.size());
  }
  void add_text(std::uint16_t type, const std::string& text) { add(type, {text.c_str(), text.size() + 1}); }
  void add_number(std::uint16_t type, std::uint32_t number) {
    add(type, {reinterpret_cast<const char*>(&number), sizeof number});
  }
  // What is added until `end` is in it.
  std::size_t begin(std::uint16_t type) {
    const std::size_t at = bytes_.size();
    add(type, "");
    return at;
  }
  void end(std::size_t at) {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at, &length, sizeof length);
  }
  template <class Part>
  void add_part(const Part& part) {
    append(&part, sizeof part);
  }

  // 0, or why the kernel did not do it.
  int send() {
    const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket) return errno;
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    if (::send(socket.get(), bytes_.data(), bytes_.size(), 0) < 0) return errno;
    struct {
      nlmsghdr header;
      nlmsgerr error;
      char rest[1024];
    } answer = {};
    if (::recv(socket.get(), &answer, sizeof answer, 0) < 0) return errno;
    return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
  }

 private:
  void append(const void* bytes, std::size_t size) {
    bytes_.append(static_cast<const char*>(bytes), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()), '\0');
  }

  std::string bytes_;
};

ifinfomsg raised() {
  ifinfomsg out = {};
  out.ifi_family = AF_UNSPEC;
  out.ifi_flags = IFF_UP;
  out.ifi_change = IFF_UP;
  return out;
}

void require(int code, const char* what, const char* module) {
  if (code == 0) return;
  Error error = system_error(code, what, ExitClass::host);
  if (code == EOPNOTSUPP) throw std::move(error).with_advice(std::string("sudo modprobe ") + module);
  throw error;
}

}  // namespace

void make_bridge() {
  if (feature_disabled("bridge")) require(EOPNOTSUPP, "make a bridge", "bridge");
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, raised());
  request.add_text(IFLA_IFNAME, k_bridge);
  const auto about = request.begin(IFLA_LINKINFO);
  request.add_text(IFLA_INFO_KIND, "bridge");
  request.end(about);
  require(request.send(), "make a bridge", "bridge");
}

void lead_to_bridge(int to) {
  const unsigned bridge = ::if_nametoindex(k_bridge);
  if (bridge == 0) throw Error(ExitClass::host, "the network has lost its bridge");
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, raised());
  request.add_number(IFLA_MASTER, bridge);
  const auto about = request.begin(IFLA_LINKINFO);
  request.add_text(IFLA_INFO_KIND, "veth");
  const auto data = request.begin(IFLA_INFO_DATA);
  const auto peer = request.begin(VETH_INFO_PEER);
  request.add_part(ifinfomsg{});
  request.add_text(IFLA_IFNAME, k_end);
  request.add_number(IFLA_NET_NS_FD, static_cast<std::uint32_t>(to));
  request.end(peer);
  request.end(data);
  request.end(about);
  require(request.send(), "make a pair of interfaces", "veth");
}

void take_bridge_address(const BridgeAddress& address) {
  const unsigned end = ::if_nametoindex(k_end);
  in_addr own = {};
  if (end == 0 || ::inet_pton(AF_INET, address.address.c_str(), &own) != 1) {
    throw Error(ExitClass::host, "the container's interface is not there");
  }
  ifaddrmsg part = {};
  part.ifa_family = AF_INET;
  part.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix);
  part.ifa_index = end;
  NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, part);
  const std::string_view bytes(reinterpret_cast<const char*>(&own), sizeof own);
  request.add(IFA_LOCAL, bytes);
  request.add(IFA_ADDRESS, bytes);
  require(request.send(), "give the container its address", "veth");
  ifinfomsg up = raised();
  up.ifi_index = static_cast<int>(end);
  require(NetlinkRequest(RTM_NEWLINK, 0, up).send(), "raise the container's interface", "veth");
}

}  // namespace mbuild::executor
