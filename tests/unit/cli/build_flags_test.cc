#include "cli/build_flags.h"

#include <cstdlib>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cli;
using mbuild::executor::CacheUse;
using mbuild::executor::OutputType;
using mbuild::testing::error_of;
using mbuild::testing::ScopedVariable;

TEST_CASE("An output has a type, a destination and attributes") {
  const auto output = parse_output("type=oci,dest=out.tar,compression=zstd,\"annotation.a=b,c\"");
  CHECK(output.type == OutputType::oci);
  CHECK(output.destination == "out.tar");
  CHECK(output.image.compression == image::Compression::zstd);
  REQUIRE(output.image.annotations.size() == 1);
  CHECK(output.image.annotations[0].key == "a");
  CHECK(output.image.annotations[0].value == "b,c");
}

TEST_CASE("The keys of an output are told without case, its values are not") {
  const auto output = parse_output("Type=docker,DEST=Out,Name=A=B");
  CHECK(output.type == OutputType::docker);
  CHECK(output.destination == "Out");
  CHECK(output.image.names == std::vector<std::string>{"A=B"});
}

TEST_CASE("A path alone is a local output, and a dash a tar on standard output") {
  CHECK(parse_output("out/dir").type == OutputType::local);
  CHECK(parse_output("out/dir").destination == "out/dir");
  CHECK(parse_output("-").type == OutputType::tar);
  CHECK(parse_output("-").destination == "-");
}

TEST_CASE("Outputs that say nothing sensible are usage errors") {
  CHECK(parse_output("./a=b").destination == "./a=b");
  CHECK(error_of([] { parse_output("dest=x,tar=false"); }) == "2 type is required for --output");
  CHECK(error_of([] { parse_output("type=local,dest=-"); }) == "2 dest cannot be stdout for local exporter");
  CHECK(error_of([] { parse_output("type=oci,tar=false,dest=-"); }) == "2 dest cannot be stdout for oci exporter");
  CHECK(error_of([] { parse_output("type=oci,dest"); }) == "2 invalid value dest in --output type=oci,dest");
  CHECK(error_of([] { parse_output("type=docke"); }) ==
        "2 exporter \"docke\" could not be found (did you mean docker?)");
  CHECK(error_of([] { parse_output("type=local"); }) == "2 dest is required for local exporter");
}

TEST_CASE("A secret comes from a file or a variable") {
  CHECK(parse_secret("id=a,src=f").file == "f");
  CHECK(parse_secret("id=a,source=f").file == "f");
  CHECK_FALSE(parse_secret("id=a,src=f").value);
  const ScopedVariable variable("F", "x");
  CHECK(parse_secret("id=a,env=F").value == "x");
  CHECK(parse_secret("id=a,env=F").file.empty());
  CHECK(parse_secret("id=a,env=MBUILD_UNIT_UNSET").value == "");
  CHECK(parse_secret("id=a,src=f").id == "a");
}

TEST_CASE("A secret of type env takes its variable's name from src too") {
  const ScopedVariable variable("NAME", "x");
  const auto secret = parse_secret("type=env,id=a,src=NAME");
  CHECK(secret.value == "x");
  CHECK(secret.file.empty());
}

TEST_CASE("A secret with an id alone is the variable of that name if it is set, else the file") {
  CHECK(parse_secret("id=MBUILD_UNIT_SECRET").file == "MBUILD_UNIT_SECRET");
  const ScopedVariable variable("MBUILD_UNIT_SECRET", "x");
  CHECK(parse_secret("id=MBUILD_UNIT_SECRET").value == "x");
  CHECK(parse_secret("id=MBUILD_UNIT_SECRET,type=file").file == "MBUILD_UNIT_SECRET");
}

TEST_CASE("Secrets that say nothing sensible are usage errors") {
  CHECK(error_of([] { parse_secret("src=f"); }) == "2 --secret src=f has no id");
  CHECK(error_of([] { parse_secret("id=a,mode=1"); }) == "2 unexpected key 'mode' in --secret id=a,mode=1");
  CHECK(error_of([] { parse_secret("id=a,type=vault"); }) == "2 unsupported secret type \"vault\"");
  CHECK(error_of([] { parse_secret("a"); }) == "2 invalid secret \"a\": expected key=value");
}

TEST_CASE("An ssh agent has an id, and sockets or keys") {
  CHECK(parse_ssh("default").id == "default");
  CHECK(parse_ssh("default").paths.empty());
  CHECK(parse_ssh("git=/a,/b=c").id == "git");
  CHECK(parse_ssh("git=/a,/b=c").paths == std::vector<std::string>{"/a", "/b=c"});
  CHECK(error_of([] { parse_ssh("=/a"); }) == "2 invalid --ssh =/a");
}

TEST_CASE("A cache is a bare reference of a registry, or a type with attributes") {
  const auto bare = parse_cache("host/name:tag", CacheUse::write);
  CHECK(bare.type == "registry");
  CHECK(bare.ref == "host/name:tag");
  const auto local = parse_cache("type=local,dest=a b,Mode=max", CacheUse::write);
  CHECK(local.type == "local");
  CHECK(local.destination == "a b");
  CHECK(local.max);
  for (const char* text : {"type=other", "dest=x", "type=local,x"})
    CHECK_THROWS_AS(parse_cache(text, CacheUse::write), Error);
}
