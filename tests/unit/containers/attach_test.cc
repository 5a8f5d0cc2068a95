#include "containers/attach.h"

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::containers {

TEST_CASE("keys to detach are written as docker has them", "[containers]") {
  CHECK(parse_detach_keys("ctrl-p,ctrl-q") == "\x10\x11");
  CHECK(parse_detach_keys("a,ctrl-[,ctrl-A") == "a\x1b\x01");
  CHECK(parse_detach_keys("").empty());
  for (const char* wrong : {"ctrl-", "ab", "a,,b", "ctrl-1"}) CHECK_THROWS_AS(parse_detach_keys(wrong), Error);
}

TEST_CASE("what is typed is passed on until the keys were typed one after the other", "[containers]") {
  KeyScanner scanner("\x10\x11");
  CHECK(scanner.pass("abc") == "abc");
  CHECK(scanner.pass("\x10") == "");
  CHECK(scanner.pass("d") ==
        "\x10"
        "d");
  CHECK(scanner.pass("\x10\x10") == "\x10");
  CHECK_FALSE(scanner.pass("\x11").has_value());
  KeyScanner none("");
  CHECK(none.pass("\x10\x11") == "\x10\x11");
}

}  // namespace mbuild::containers
