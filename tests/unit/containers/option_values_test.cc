#include "containers/option_values.h"

#include "base/error.h"
#include "containers/volumes.h"
#include "tests/catch.h"

namespace mbuild::containers {

TEST_CASE("-v names a directory of the host and a place in the container", "[containers]") {
  CHECK(parse_volume("/a:/b", "/here") == HostBind{"/a", "/b", false, true});
  CHECK(parse_volume("./a/:/b/:ro", "/here") == HostBind{"/here/a", "/b", true, true});
  CHECK(parse_volume("name:/b:ro", "/here") == HostBind{"", "/b", true, false, "name"});
  const auto nameless = parse_volume("/b/", "/here");
  CHECK((nameless.target == "/b" && nameless.anonymous && is_anonymous_volume(nameless.volume)));
  for (const char* wrong : {"a", "/", "/a:b", "/a:/", "/a:/b:fast", "/a:/b:ro:ro", "n:/b", "a b:/b", ":/b"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_volume(wrong, "/here"), Error);
  }
}

TEST_CASE("--mount says what is mounted in fields", "[containers]") {
  Options into;
  parse_mount("type=bind,source=a,target=/b,readonly", "/here", into);
  parse_mount("type=tmpfs,dst=/t,tmpfs-size=1m,ro=false", "/here", into);
  parse_mount("src=name,dst=/v", "/here", into);
  CHECK(into.binds == std::vector<HostBind>{{"/here/a", "/b", true, false}, {"", "/v", false, false, "name"}});
  CHECK(into.memory == std::vector<MemoryMount>{{"/t", 1 << 20, false}});
  for (const char* wrong : {"type=bind,dst=/b", "type=bind,src=/a", "src=/a,dst=/b", "type=bind,src=/a,dst=/b,x=1",
                            "type=bind,src=/a,dst=/b,ro=perhaps"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_mount(wrong, "/here", into), Error);
  }
}

TEST_CASE("--tmpfs takes options after the directory", "[containers]") {
  CHECK(parse_tmpfs("/t") == MemoryMount{"/t", 0, false});
  CHECK(parse_tmpfs("/t:size=64k,ro") == MemoryMount{"/t", 65536, true});
  CHECK_THROWS_AS(parse_tmpfs("t"), Error);
  CHECK_THROWS_AS(parse_tmpfs("/t:fast"), Error);
}

TEST_CASE("a file of variables has one a line", "[containers]") {
  using Lines = std::vector<std::string>;
  CHECK(parse_env_file("# no\n\n  A=1 2\r\nB\nC=#\n", "file") == Lines{"A=1 2", "B", "C=#"});
  CHECK(parse_env_file("\xEF\xBB\xBF"
                       "A=1\n",
                       "file") == Lines{"A=1"});
  CHECK_THROWS_AS(parse_env_file("A B=1\n", "file"), Error);
  CHECK_THROWS_AS(parse_env_file("=1\n", "file"), Error);
}

TEST_CASE("exposed ports are numbers or ranges of them", "[containers]") {
  using Ports = std::vector<std::string>;
  CHECK(parse_expose("80") == Ports{"80/tcp"});
  CHECK(parse_expose("53/UDP") == Ports{"53/udp"});
  CHECK(parse_expose("8000-8002/tcp") == Ports{"8000/tcp", "8001/tcp", "8002/tcp"});
  for (const char* wrong : {"", "0", "65536", "a", "80/sctp", "9-8", "80:80"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_expose(wrong), Error);
  }
}

TEST_CASE("labels have names, and the last one of a name counts", "[containers]") {
  std::vector<std::pair<std::string, std::string>> labels;
  add_labels_of_file("# no\na=1\nb\n\n", labels);
  add_label("a=2=3", labels);
  CHECK(labels == std::vector<std::pair<std::string, std::string>>{{"a", "2=3"}, {"b", ""}});
  CHECK_THROWS_AS(add_label("=x", labels), Error);
}

TEST_CASE("name servers are addresses, and times to stop numbers", "[containers]") {
  CHECK(parse_name_server("1.1.1.1") == "1.1.1.1");
  CHECK(parse_name_server("fe80::1%eth0") == "fe80::1%eth0");
  CHECK_THROWS_AS(parse_name_server("dns.example"), Error);
  CHECK(parse_stop_timeout("--time", "") == std::nullopt);
  CHECK(parse_stop_timeout("--time", "-1") == -1);
  CHECK_THROWS_AS(parse_stop_timeout("--time", "1m"), Error);
}

}  // namespace mbuild::containers
