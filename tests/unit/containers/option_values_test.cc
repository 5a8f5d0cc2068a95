#include "containers/option_values.h"

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::containers {

TEST_CASE("-v names a directory of the host and a place in the container", "[containers]") {
  CHECK(parse_volume("/a:/b", "/here") == HostBind{"/a", "/b", false, true});
  CHECK(parse_volume("./a/:/b/:ro", "/here") == HostBind{"/here/a", "/b", true, true});
  CHECK(parse_volume("name:/b:ro", "/here") == HostBind{"", "/b", true, false, "name"});
  for (const char* wrong : {"/a", "/a:b", "/a:/", "/a:/b:fast", "/a:/b:ro:ro", "n:/b", "a b:/b", ":/b"}) {
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
  for (const char* wrong : {"type=bind,dst=/b", "type=bind,src=/a", "src=/a,dst=/b", "dst=/b",
                            "type=bind,src=/a,dst=/b,x=1", "type=bind,src=/a,dst=/b,ro=perhaps"}) {
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
  CHECK_THROWS_AS(parse_env_file("A B=1\n", "file"), Error);
  CHECK_THROWS_AS(parse_env_file("=1\n", "file"), Error);
}

}  // namespace mbuild::containers
