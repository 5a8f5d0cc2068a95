#include "containers/ports.h"

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::containers {

TEST_CASE("-p names a port of the host and one of the container", "[containers]") {
  CHECK(parse_publish("80") == std::vector<Port>{{"", 0, 80, false}});
  CHECK(parse_publish("8000:80/udp") == std::vector<Port>{{"", 8000, 80, true}});
  CHECK(parse_publish("127.0.0.1:8000:80") == std::vector<Port>{{"127.0.0.1", 8000, 80, false}});
  CHECK(parse_publish("127.0.0.1::80") == std::vector<Port>{{"127.0.0.1", 0, 80, false}});
  CHECK(parse_publish("[::1]:8000:80/tcp") == std::vector<Port>{{"::1", 8000, 80, false}});
  CHECK(parse_publish("8000-8001:80-81") == std::vector<Port>{{"", 8000, 80, false}, {"", 8001, 81, false}});
  for (const char* wrong :
       {"", "a", "0", "65536", "80/sctp", "8000-8001:80", "9-8:9-8", "1:2:3:4", "x:1:2", "[::1:2"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_publish(wrong), Error);
  }
}

TEST_CASE("ports are told to pasta by protocol, and to people by address", "[containers]") {
  const std::vector<Port> ports = {{"127.0.0.1", 8000, 80, false}, {"", 53, 53, true}};
  CHECK(pasta_ports(ports, false) == std::vector<std::string>{"127.0.0.1/8000:80"});
  CHECK(pasta_ports(ports, true) == std::vector<std::string>{"53:53"});
  CHECK(to_string(ports[0]) == "127.0.0.1:8000->80/tcp");
  CHECK(to_string(ports[1]) == "0.0.0.0:53->53/udp");
}

}  // namespace mbuild::containers
