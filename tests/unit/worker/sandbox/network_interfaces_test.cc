#include "worker/sandbox/network_interfaces.h"

#include <algorithm>

#include "tests/catch.h"

namespace mbuild::executor {

TEST_CASE("the groups that may send echo requests are all that are mapped") {
  CHECK(ping_groups("         0          0 4294967295\n") == "0 2147483647");
  CHECK(ping_groups("0 1000 1\n1 100000 65536\n") == "0 65536");
  CHECK(ping_groups("0 1000 1\n") == "0 0");
  CHECK(ping_groups("0 500000 1\n1 100000 65536\n") == "1 65536");
  CHECK(ping_groups("") == "");
  CHECK(ping_groups("0 2147483648 2147483647\n2147483648 0 2147483647\n") == "0 2147483646");  // of real root
}

TEST_CASE("a host has a way out where it has a default route") {
  const std::string head =
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                   \n";
  const std::string local =
      "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0                              \n";
  const std::string way = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0                              \n";
  const std::string zeros(32, '0');
  const std::string gateway = "fd000000000000000000000000000001";
  const auto ipv6 = [&](const char* prefix, const std::string& flags, const std::string& interface) {
    return zeros + " " + prefix + " " + zeros + " 00 " + gateway + " 00000400 00000001 00000000 " + flags + " " +
           interface + "\n";
  };
  CHECK(has_default_route(head + local + way, ""));
  CHECK_FALSE(has_default_route(head + local, ""));
  CHECK_FALSE(has_default_route("", ""));
  CHECK(has_default_route(head, ipv6("00", "00000003", "    eth0")));
  CHECK_FALSE(has_default_route(head, ipv6("00", "00200200", "      lo")));  // the kernel's own, of a host without one
  CHECK_FALSE(has_default_route(head, ipv6("40", "00000001", "    eth0")));
}

TEST_CASE("the loopback's addresses are among those of this namespace") {
  const auto found = interface_addresses();
  CHECK(std::all_of(found.begin(), found.end(), [](const auto& own) { return !own.address.empty(); }));
  for (const auto& own : found) {
    if (own.address == "127.0.0.1") CHECK(own.loopback);
  }
}

}  // namespace mbuild::executor
