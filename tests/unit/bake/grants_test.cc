#include "bake/grants.h"

#include <filesystem>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "tests/unit/bake/definitions.h"

using namespace mbuild;
using namespace mbuild::bake;
using mbuild::testing::definition_of;
using mbuild::testing::error_of;
using mbuild::testing::outside_with;
using mbuild::testing::TemporaryDirectory;

namespace {

// A place with a working directory, a directory beside it and a link to that.
struct Place {
  TemporaryDirectory top;
  Outside outside = outside_with();
  Place() {
    for (const char* name : {"here/sub", "beside"}) std::filesystem::create_directories(top / name);
    std::filesystem::create_symlink(top / "beside", top / "here/link");
    outside.directory = top / "here";
  }
  std::vector<std::string> asked(const std::string& attributes, const std::vector<std::string>& allowed = {}) {
    const auto definition = definition_of("target \"t\" {\n" + attributes + "\n}\n");
    const auto selection = select(definition, {"t"}, {}, outside);
    return grant_flags(missing_privileges(selection, parse_grants(allowed, outside), outside, true), outside);
  }
};

using Flags = std::vector<std::string>;

}  // namespace

TEST_CASE("What is below the working directory needs no grant") {
  Place place;
  CHECK(place.asked("context = \"sub\"\noutput = [\"new/out\"]").empty());
}

TEST_CASE("What is elsewhere is asked for, links followed, and new paths by their parent") {
  Place place;
  CHECK(place.asked("context = \"../beside\"") == Flags{"--allow=fs.read=../beside"});
  CHECK(place.asked("context = \"link\"") == Flags{"--allow=fs.read=../beside"});
  CHECK(place.asked("output = [\"../beside/new/out\"]") == Flags{"--allow=fs.write=../beside"});
  CHECK(place.asked("context = \"../beside\"\noutput = [\"../beside\"]") == Flags{"--allow=fs=../beside"});
}

TEST_CASE("A grant is for what is below it") {
  Place place;
  CHECK(place.asked("context = \"../beside\"", {"fs.read=.."}).empty());
  CHECK(place.asked("context = \"../beside\"", {"fs=*"}).empty());
  CHECK(place.asked("context = \"../beside\"", {"fs.write=../beside"}) == Flags{"--allow=fs.read=../beside"});
  CHECK(place.asked("output = [\"../beside/new\"]", {"fs.write=../beside/new"}) == Flags{"--allow=fs.write=../beside"});
}

TEST_CASE("Privileges without a value are refused one") {
  const auto says = [](const std::string& value) { return error_of([&] { parse_grants({value}, outside_with()); }); };
  CHECK(says("network.host=x") == "2 unknown entitlement key \"network.host\"");
  CHECK(says("buildx.local.delete=x") == "2 buildx.local.delete does not accept a value");
}

TEST_CASE("Other privileges are asked for by name") {
  Place place;
  CHECK(place.asked("network = \"host\"") == Flags{"--allow=network.host"});
  CHECK(place.asked("network = \"host\"", {"network.host"}).empty());
  CHECK(place.asked("entitlements = [\"security.insecure\", \"device=a\"]") ==
        Flags{"--allow=security.insecure", "--allow=device=a"});
  CHECK(place.asked("output = [\"type=local,dest=o,mode=delete\"]") == Flags{"--allow=buildx.local.delete"});
  CHECK(error_of([&] { parse_grants({"all"}, place.outside); }) == "2 unknown entitlement key \"all\"");
}
