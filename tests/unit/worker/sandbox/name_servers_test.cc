#include "worker/sandbox/name_servers.h"

#include "tests/catch.h"

namespace mbuild::executor {

TEST_CASE("name servers that were asked for stand in the place of the host's", "[sandbox]") {
  const char* host = "# said\nnameserver 10.0.0.1\nsearch here\noptions edns0\n";
  CHECK(with_name_servers(host, {}) == host);
  CHECK(with_name_servers(host, {.addresses = {"1.1.1.1", "::1"}, .search = {}, .options = {}}) ==
        "# said\nsearch here\noptions edns0\nnameserver 1.1.1.1\nnameserver ::1\n");
  CHECK(with_name_servers(host, {.addresses = {}, .search = {"a", "b"}, .options = {"ndots:1"}}) ==
        "# said\nnameserver 10.0.0.1\nsearch a b\noptions ndots:1\n");
  CHECK(with_name_servers(host, {.addresses = {}, .search = {"."}, .options = {}}) ==
        "# said\nnameserver 10.0.0.1\noptions edns0\n");
}

}  // namespace mbuild::executor
