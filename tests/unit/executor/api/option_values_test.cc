#include "executor/api/option_values.h"

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::error_of;
using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("A host's addresses follow a colon or an equals sign") {
  CHECK(parse_add_host("db:10.0.0.1") == Pairs{{"db", "10.0.0.1"}});
  CHECK(parse_add_host("db=10.0.0.1,10.0.0.2") == Pairs{{"db", "10.0.0.1"}, {"db", "10.0.0.2"}});
  CHECK_THAT(error_of([] { parse_add_host("db:host-gateway"); }), Catch::Matchers::Contains("no way from a step"));
  CHECK_THAT(error_of([] { parse_add_host("db:1.2.3"); }), Catch::Matchers::Contains("1.2.3 is no IP address"));
}

TEST_CASE("An IPv6 address may stand in brackets") {
  CHECK(parse_add_host("db:[::1]") == Pairs{{"db", "::1"}});
  CHECK(parse_add_host("db=::1") == Pairs{{"db", "::1"}});
  CHECK(parse_add_host("db:fe80::1") == Pairs{{"db", "fe80::1"}});
}

TEST_CASE("Hosts without a name or an address are usage errors") {
  for (const char* text : {"db", ":1.2.3.4", "db:", "db:1.2.3.4,", "db:[]"}) {
    CAPTURE(text);
    CHECK(error_of([&] { parse_add_host(text); }) == std::string("2 invalid host ") + text);
  }
}

TEST_CASE("A ulimit has a soft and a hard limit, one number is both") {
  CHECK(parse_ulimit("nofile=1024:2048") == graph::Ulimit{"nofile", 1024, 2048});
  CHECK(parse_ulimit("nproc=5") == graph::Ulimit{"nproc", 5, 5});
}

TEST_CASE("A ulimit may be unlimited, but not the soft one alone") {
  CHECK(parse_ulimit("core=-1") == graph::Ulimit{"core", -1, -1});
  CHECK(parse_ulimit("core=unlimited") == graph::Ulimit{"core", -1, -1});
  CHECK(parse_ulimit("core=0:-1") == graph::Ulimit{"core", 0, -1});
  CHECK(error_of([] { parse_ulimit("core=-1:5"); }).starts_with("2 ulimit soft limit must be"));
  CHECK(error_of([] { parse_ulimit("core=6:5"); }).starts_with("2 ulimit soft limit must be"));
}

TEST_CASE("Ulimits that say nothing sensible are usage errors") {
  CHECK(error_of([] { parse_ulimit("nofiles=1"); }) == "2 invalid ulimit type: nofiles (did you mean nofile?)");
  CHECK(error_of([] { parse_ulimit("nofile"); }) == "2 invalid ulimit argument \"nofile\": expected key=value");
  for (const char* text : {"nofile=", "nofile=x", "nofile=1:", "nofile=1:2:3", "nofile=1k"}) {
    CAPTURE(text);
    CHECK(error_of([&] { parse_ulimit(text); }) == std::string("2 invalid ulimit argument: ") + text);
  }
}

TEST_CASE("A pair is split at its first equals sign") {
  CHECK(parse_pair("A=b=c", "build-arg") == std::pair<std::string, std::string>{"A", "b=c"});
  CHECK(parse_pair("A=", "build-arg") == std::pair<std::string, std::string>{"A", ""});
  CHECK(error_of([] { parse_pair("=b", "label"); }) == "2 invalid label \"=b\": empty key");
  CHECK(error_of([] { parse_pair("A", "label"); }) == "2 invalid label \"A\": expected key=value");
}

TEST_CASE("A network is the default one, none or that of the host") {
  CHECK(parse_network("") == graph::NetworkMode::standard);
  CHECK(parse_network("default") == graph::NetworkMode::standard);
  CHECK(parse_network("none") == graph::NetworkMode::none);
  CHECK(parse_network("host") == graph::NetworkMode::host);
  CHECK(error_of([] { parse_network("bridge"); }) == "2 network mode \"bridge\" not supported");
}
