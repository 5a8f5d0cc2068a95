#include "worker/sandbox/resolver.h"

#include "tests/catch.h"

namespace mbuild::executor {
namespace {

bool none(std::string_view) { return false; }

}  // namespace

TEST_CASE("name servers that anybody can reach stay as they are") {
  const std::string host =
      "# comment\nsearch example.org\nnameserver 9.9.9.9\nnameserver 2620:fe::fe\noptions ndots:2\n";
  const auto found = resolver_of_build(host, none);
  CHECK(found.text == host);
  CHECK_FALSE(found.forward_ipv4);
  CHECK_FALSE(found.forward_ipv6);
}

TEST_CASE("name servers on the host are asked through the network's program") {
  const auto found = resolver_of_build("nameserver 127.0.0.53\nnameserver\t127.0.0.1 # dnsmasq\nsearch a\n", none);
  CHECK(found.text == std::string("nameserver ") + k_forward_ipv4 + "\nsearch a\n");
  CHECK(found.forward_ipv4);
  CHECK_FALSE(found.forward_ipv6);
  const auto both = resolver_of_build(
      "nameserver ::1\nnameserver 172.17.0.1\nnameserver 9.9.9.9\n",
      [](std::string_view address) { return address == "172.17.0.1"; }, "1.1", "1::1");
  CHECK(both.text == "nameserver 1::1\nnameserver 1.1\nnameserver 9.9.9.9\n");
  CHECK(both.forward_ipv4);
  CHECK(both.forward_ipv6);
}

TEST_CASE("a name server on a link is looked at without its scope") {
  const auto found =
      resolver_of_build("nameserver fe80::1%eth0\n", [](std::string_view address) { return address == "fe80::1"; });
  CHECK(found.forward_ipv6);
}

TEST_CASE("words that only look like name servers stay") {
  const std::string host = "nameservers 127.0.0.1\nnameserver\n";
  CHECK(resolver_of_build(host, none).text == host);
  CHECK(resolver_of_build("", none).text.empty());
}

}  // namespace mbuild::executor
