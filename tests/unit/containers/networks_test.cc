#include "containers/networks.h"

#include "base/error.h"
#include "containers/network_holder.h"
#include "tests/catch.h"
#include "tests/temporary.h"

namespace mbuild::containers {

TEST_CASE("a subnet is the first of its addresses and its length", "[containers]") {
  Network network;
  parse_subnet("10.210.3.0/24", network);
  CHECK(network.subnet == "10.210.3.0");
  CHECK(network.prefix == 24);
  CHECK(address_in(network, 0).empty());
  CHECK(address_in(network, 2) == "10.210.3.2");
  CHECK(address_in(network, 254) == "10.210.3.254");
  CHECK(address_in(network, 255).empty());
  parse_subnet("172.20.0.0/16", network);
  CHECK(address_in(network, 300) == "172.20.1.44");
  for (const char* wrong : {"", "10.210.3.0", "10.210.3.1/24", "10.210.3.0/30", "10.0.0.0/7", "x/24", "10.210.3.0/24x",
                            "0.0.0.0/8", "fd00::/64"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_subnet(wrong, network), Error);
  }
}

TEST_CASE("networks have names, ids and subnets of their own", "[containers]") {
  const testing::TemporaryDirectory place;
  const auto networks = networks_directory(place.path() + "/containers");
  const auto one = create_network(networks, {.id = {}, .name = "one", .subnet = {}});
  const auto two = create_network(networks, {.id = {}, .name = "two", .subnet = {}});
  CHECK(one.subnet != two.subnet);
  CHECK(find_network(networks, "one").id == one.id);
  CHECK(find_network(networks, two.id.substr(0, 8)).name == "two");
  CHECK(list_networks(networks).size() == 2);
  CHECK_THROWS_AS(create_network(networks, {.id = {}, .name = "one", .subnet = {}}), Error);
  for (const char* wrong : {"", "x", "host", "none", "default", "bridge", "a/b", "..", "container:x"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(create_network(networks, {.id = {}, .name = wrong, .subnet = {}}), Error);
  }
  CHECK_THROWS_AS(find_network(networks, "three"), Error);
  CHECK(prune_networks(place.path() + "/containers", [](const Network&) { return true; }) ==
        std::vector<std::string>{"one", "two"});
  CHECK(list_networks(networks).empty());
}

TEST_CASE("a line of /etc/hosts has names that can be in one, each once", "[containers]") {
  CHECK(hosts_line("10.0.0.2", {"web", "www", "web"}) == "10.0.0.2\tweb www\n");
  CHECK(hosts_line("10.0.0.2", {"a\n10.0.0.3 bank", "a b", ""}).empty());
}

TEST_CASE("the network of a container is a mode or has a name", "[containers]") {
  const testing::TemporaryDirectory place;
  const auto containers = place.path() + "/containers";
  CHECK(choose_network(containers, "none").mode == graph::NetworkMode::none);
  CHECK(choose_network(containers, "bridge") == NetworkChoice{});
  CHECK_THROWS_AS(choose_network(containers, "shop"), Error);
  create_network(networks_directory(containers), {.id = {}, .name = "shop", .subnet = {}});
  CHECK(choose_network(containers, "shop").name == "shop");
  CHECK_THROWS_AS(choose_network(containers, "container:nobody"), Error);
}

}  // namespace mbuild::containers
