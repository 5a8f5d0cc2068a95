#include "worker/native/architecture.h"

#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "tests/catch.h"
#include "worker/native/linking.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

// The one text of this program that it knows its architecture by.
const char* volatile g_own = "an-architecture-of-this-test";

}  // namespace

TEST_CASE("architectures have other names for Debian", "[native]") {
  CHECK(debian_architecture("aarch64") == "arm64");
  CHECK(debian_architecture("x86_64") == "amd64");
  CHECK(debian_architecture("armv7l").empty());  // of another size
  CHECK(debian_architecture("s390x").empty());   // of another order
}

TEST_CASE("a program works for another architecture by its name", "[native]") {
  const std::string bytes = read_file("/proc/self/exe"), own = g_own;
  const auto changed = with_architecture(bytes, own, "ppc64el");
  CHECK(changed.size() == bytes.size());
  CHECK(changed != bytes);
  CHECK(read_linking(changed));
  CHECK_THROWS_AS(with_architecture(bytes, own + "-that-it-lacks", "ppc64el"), Error);
  const std::string text = "some bytes that are no program, with " + own + std::string(1, '\0');
  CHECK_THROWS_AS(with_architecture(text, own, "ppc64el"), Error);
}

TEST_CASE("what is not apt's library takes no architecture", "[native]") {
  CHECK(!takes_architecture(""));
  CHECK(!takes_architecture(read_file("/bin/sh")));
}
