#include "executor/outputs/image_output.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

Output output_of(const std::string& type, std::map<std::string, std::string> attributes = {}) {
  return {.type = type, .destination = "x", .attributes = std::move(attributes)};
}

ImageOutput read(const std::string& type, std::map<std::string, std::string> attributes = {},
                 const BuildRequest& request = {}) {
  return read_image_output(output_of(type, std::move(attributes)), request, 1000);
}

std::string failure_of(const std::string& type, std::map<std::string, std::string> attributes,
                       const BuildRequest& request = {}) {
  try {
    read(type, std::move(attributes), request);
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the defaults of an image output") {
  const auto output = read("oci");
  CHECK(output.layers.compression == image::Compression::gzip);
  CHECK(!output.layers.level);
  CHECK(!output.layers.clamp);
  CHECK(output.flavour == image::MediaFlavour::oci);
  CHECK(output.as_tar);
  CHECK(!output.push);
  CHECK(!output.store);
}

TEST_CASE("image is kept in the store, registry is pushed") {
  BuildRequest request;
  request.tags = {"app"};
  CHECK(read("image", {}, request).store);
  CHECK(!read("image", {}, request).push);
  CHECK(!read("image", {{"store", "false"}}, request).store);
  CHECK(read("image", {{"push", "true"}}, request).push);
  CHECK(read("registry", {}, request).push);
  CHECK(!read("registry", {}, request).store);
  CHECK(!read("registry", {{"push", "false"}}, request).push);
  CHECK(failure_of("registry", {}) == "tag is needed when pushing to registry");
}

TEST_CASE("names come from the output, else from the tags; each once") {
  BuildRequest request;
  request.tags = {"app:1", "docker.io/library/app:1", "localhost:5000/a"};
  CHECK(read("oci", {}, request).names ==
        std::vector<std::string>{"docker.io/library/app:1", "localhost:5000/a:latest"});
  CHECK(read("oci", {{"name", "b,c:2"}}, request).names ==
        std::vector<std::string>{"docker.io/library/b:latest", "docker.io/library/c:2"});
  CHECK(read("oci", {{"name", "*"}}, request).names.size() == 2);
}

TEST_CASE("a push by digest takes no tag") {
  CHECK(read("image", {{"name", "localhost:5000/a"}, {"push", "true"}, {"push-by-digest", ""}}).push_by_digest);
  CHECK(failure_of("image", {{"name", "localhost:5000/a:1"}, {"push", "true"}, {"push-by-digest", "true"}}) ==
        "can't push tagged ref localhost:5000/a:1 by digest");
}

TEST_CASE("compressions and levels") {
  CHECK(read("oci", {{"compression", "zstd"}, {"compression-level", "22"}}).layers.level == 22);
  CHECK(read("oci", {{"compression", "uncompressed"}}).layers.compression == image::Compression::none);
  CHECK(failure_of("oci", {{"compression", "zstd"}, {"compression-level", "23"}}).find("0 to 22") != std::string::npos);
  CHECK(failure_of("oci", {{"compression-level", "10"}}).find("0 to 9") != std::string::npos);
  CHECK(failure_of("oci", {{"compression-level", "x"}}).find("invalid compression-level x") != std::string::npos);
  CHECK(failure_of("oci", {{"compression", "lzma"}}) == "unsupported layer compression type lzma");
  CHECK(failure_of("oci", {{"compression", "estargz"}}).find("eStargz") != std::string::npos);
  CHECK(failure_of("oci", {{"compression", "zstd"}, {"oci-mediatypes", "false"}}) ==
        "exporter option \"compression=zstd\" conflicts with \"oci-mediatypes=false\"");
  CHECK(failure_of("oci", {{"force-compression", "maybe"}}) == "non-bool value maybe specified for force-compression");
}

TEST_CASE("reproducible layers are compressed by the library whose bytes are the same everywhere") {
  BuildRequest request;
  request.reproducible = true;
  CHECK(read("oci", {}, request).layers.level == 6);
  CHECK(read("oci", {}, request).layers.clamp == 1000);
  CHECK(read("oci", {{"compression", "zstd"}}, request).layers.level == 3);
  CHECK(!read("oci", {{"compression", "uncompressed"}}, request).layers.level);
  CHECK(!read("oci", {{"compression", "zstd"}}).layers.level);
}

TEST_CASE("media types: Docker's on request, and what older versions had") {
  const auto docker = image::MediaFlavour::docker;
  const auto oci = image::MediaFlavour::oci;
  CHECK(read("oci", {{"oci-mediatypes", "false"}}).flavour == docker);
  CHECK(read("image", {{"compatibility-version", "20"}}).flavour == docker);
  CHECK(read("oci", {{"compatibility-version", "20"}}).flavour == oci);
  CHECK(read("image", {{"compatibility-version", "30"}}).flavour == oci);
  CHECK(failure_of("image", {{"compatibility-version", "40"}}) == "unsupported compatibility-version 40");
  CHECK(read("oci", {{"oci-mediatypes", "false"}, {"annotation.a", "b"}}).flavour == oci);
}

TEST_CASE("an output's own epoch goes before that of the build") {
  CHECK(read("oci", {{"rewrite-timestamp", "true"}}).layers.clamp == 1000);
  const auto output = read("oci", {{"rewrite-timestamp", "true"}, {"source-date-epoch", "5"}});
  CHECK(output.layers.clamp == 5);
  CHECK(output.epoch == 5);
  CHECK(failure_of("oci", {{"source-date-epoch", "yesterday"}}) == "invalid source-date-epoch: yesterday");
}

TEST_CASE("attributes that nothing reads are told, with what was probably meant") {
  CHECK(output_warnings(output_of("oci", {{"compression", "zstd"}, {"annotation.x", "y"}})).empty());
  const auto warnings = output_warnings(output_of("oci", {{"compresion", "zstd"}}));
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("did you mean compression?") != std::string::npos);
  CHECK(output_warnings(output_of("local", {{"mode", "delete"}, {"platform-split", "1"}})).empty());
}
