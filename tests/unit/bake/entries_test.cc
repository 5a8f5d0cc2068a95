#include "bake/entries.h"

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::bake;
using mbuild::testing::error_of;
using Fields = std::map<std::string, std::string>;

namespace {

Fields one(Attribute attribute, const std::string& text) {
  const auto entries = parse_entries(attribute, text);
  REQUIRE(entries.size() == 1);
  return entries[0].fields;
}

}  // namespace

TEST_CASE("An output in bake is attributes, a dash, or the name of a directory") {
  CHECK(one(Attribute::output, "TYPE=tar,Dest=T.tar") == Fields{{"type", "tar"}, {"dest", "T.tar"}});
  CHECK(one(Attribute::output, "-") == Fields{{"type", "tar"}, {"dest", "-"}});
  CHECK(one(Attribute::output, "dest=x") == Fields{{"type", "local"}, {"dest", "dest=x"}});
  CHECK(one(Attribute::output, "type=image,dest=") == Fields{{"type", "image"}});
  CHECK(one(Attribute::output, "type=image,\"name=a,b\"") == Fields{{"type", "image"}, {"name", "a,b"}});
  CHECK(parse_entries(Attribute::output, "").empty());
}

TEST_CASE("Names alone are caches in registries") {
  const auto caches = parse_entries(Attribute::cache_from, "a,b");
  REQUIRE(caches.size() == 2);
  CHECK(caches[1].fields == Fields{{"type", "registry"}, {"ref", "b"}});
}

TEST_CASE("The source of a secret of type env may be called src") {
  CHECK(one(Attribute::secret, "type=env,id=a,src=V") == Fields{{"id", "a"}, {"env", "V"}});
  CHECK(one(Attribute::secret, "type=file,id=a,source=f") == Fields{{"id", "a"}, {"src", "f"}});
}

TEST_CASE("Blanks before a key are of no meaning to outputs, and belong to the keys of caches and secrets") {
  CHECK(one(Attribute::output, "type=tar, dest=t") == Fields{{"type", "tar"}, {"dest", "t"}});
  CHECK(one(Attribute::cache_to, "type=local, dest=t") == Fields{{"type", "local"}, {" dest", "t"}});
  CHECK(error_of([] { parse_entries(Attribute::secret, "id=a, env=E"); }) == "2 unexpected key ' env' in ' env=E'");
}

TEST_CASE("An agent has keys after the equals sign") {
  const auto agents = parse_entries(Attribute::ssh, "id=a,b");
  REQUIRE(agents.size() == 1);
  CHECK(agents[0].paths == Texts{"a", "b"});
}

TEST_CASE("An attestation that is not disabled does not say so") {
  CHECK(one(Attribute::attest, "type=sbom,disabled=0") == Fields{{"type", "sbom"}});
  CHECK(one(Attribute::attest, "type=sbom,disabled=1") == Fields{{"type", "sbom"}, {"disabled", "true"}});
}

TEST_CASE("The keys of an attestation keep their case, but for those that bake reads") {
  CHECK(one(Attribute::attest, "Type=sbom,Disabled=1,Generator=X") ==
        Fields{{"type", "sbom"}, {"disabled", "true"}, {"Generator", "X"}});
}

TEST_CASE("The level of a policy's log is a word of its list") {
  const auto level = [](const std::string& text) {
    return field_of(parse_entries(Attribute::policy, "filename=f,log-level=" + text).front(), "log-level");
  };
  CHECK(level("WARN") == "warning");
  CHECK(level("Info") == "info");
  CHECK(error_of([&] { level("loud"); }).find("invalid value log-level=loud") != std::string::npos);
}

TEST_CASE("Entries that say nothing sensible are usage errors") {
  CHECK(error_of([] { parse_entries(Attribute::output, "type=docker,push"); }) == "2 invalid value push");
  CHECK(error_of([] { parse_entries(Attribute::output, "dest=x,a=b"); }) == "2 type is required for output");
  CHECK(error_of([] { parse_entries(Attribute::cache_to, "ref=x"); }) == "2 type required for \"ref=x\"");
  CHECK(error_of([] { parse_entries(Attribute::attest, "mode=max"); }) == "2 attestation type not specified");
  CHECK(error_of([] { parse_entries(Attribute::secret, "id=a,x=y"); }) == "2 unexpected key 'x' in 'x=y'");
  CHECK(error_of([] { parse_entries(Attribute::policy, "colour=red"); }) == "2 invalid value colour=red");
}

TEST_CASE("An entry takes the place of the one with its identity") {
  Entries secrets = parse_entries(Attribute::secret, "id=a,env=A");
  put_entry(Attribute::secret, secrets, {.fields = {{"id", "b"}, {"env", "B"}}, .paths = {}});
  put_entry(Attribute::secret, secrets, {.fields = {{"id", "a"}, {"env", "C"}}, .paths = {}});
  REQUIRE(secrets.size() == 2);
  CHECK(field_of(secrets[0], "env") == "C");
}
