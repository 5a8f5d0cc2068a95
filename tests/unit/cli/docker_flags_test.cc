#include "cli/docker_flags.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild::cli;
using mbuild::testing::error_of;
using Types = std::set<std::string>;

TEST_CASE("Attestations are asked for by three flags, of which the last word counts") {
  DockerFlags flags;
  CHECK(asked_attestations(flags).empty());
  flags.attest = {"type=provenance,mode=max", "type=sbom"};
  CHECK(asked_attestations(flags) == Types{"provenance", "sbom"});
  flags.attest.push_back("type=sbom,disabled=true");
  CHECK(asked_attestations(flags) == Types{"provenance"});
  flags.provenance = {"false"};
  CHECK(asked_attestations(flags).empty());
  flags.sbom = {"generator=image"};
  CHECK(asked_attestations(flags) == Types{"sbom"});
  flags.provenance = {"mode=max,disabled=false"};
  CHECK(asked_attestations(flags) == Types{"provenance", "sbom"});
  flags.attest = {"type=other"};
  CHECK(error_of([&] { asked_attestations(flags); }) == "2 invalid attestation \"type=other\"");
  flags.attest = {"sbom"};
  CHECK(error_of([&] { check_docker_flags(flags); }) == "2 invalid attestation \"sbom\": expected key=value");
}

TEST_CASE("A policy that is asked for is not passed over") {
  DockerFlags flags;
  flags.policy = {"disabled=true"};
  check_docker_flags(flags);
  flags.policy.push_back("filename=x.rego,strict=true");
  CHECK(error_of([&] { check_docker_flags(flags); }) ==
        "2 --policy filename=x.rego,strict=true: policies in Rego are not evaluated, and none is passed over");
}
