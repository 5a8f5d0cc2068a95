#include "executor/outputs/image_output.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

ImageOutput read(const std::string& type, AttributeList attributes = {}, const BuildRequest& request = {}) {
  attributes.emplace_back("type", type);
  return image_output(parse_output(attributes), request, 1000);
}

std::string failure_of(const std::string& type, AttributeList attributes) {
  try {
    read(type, std::move(attributes));
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
  CHECK(output.names.empty());
  CHECK(output.annotations.empty());
}

TEST_CASE("what is pushed has a name") {
  CHECK(failure_of("registry", {}) == "tag is needed when pushing to registry");
  CHECK(failure_of("image", {{"push", "true"}}) == "tag is needed when pushing to registry");
  CHECK(failure_of("registry", {{"push", "false"}}).empty());
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
  const auto by_digest = read("image", {{"name", "localhost:5000/a"}, {"push", "true"}, {"push-by-digest", ""}});
  CHECK(by_digest.names == std::vector<std::string>{"localhost:5000/a:latest"});
  CHECK(failure_of("image", {{"name", "localhost:5000/a:1"}, {"push", "true"}, {"push-by-digest", "true"}}) ==
        "can't push tagged ref localhost:5000/a:1 by digest");
  CHECK(failure_of("image", {{"name", "localhost:5000/a:1"}, {"push-by-digest", "true"}}).empty());
}

TEST_CASE("compressions and levels are those of the output") {
  CHECK(read("oci", {{"compression", "zstd"}, {"compression-level", "22"}}).layers.level == 22);
  CHECK(read("oci", {{"compression", "uncompressed"}}).layers.compression == image::Compression::none);
  CHECK(read("oci", {{"force-compression", "1"}}).layers.force);
  CHECK(failure_of("oci", {{"compression", "zstd"}, {"oci-mediatypes", "false"}}) ==
        "exporter option \"compression=zstd\" conflicts with \"oci-mediatypes=false\"");
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
  CHECK(read("oci", {{"oci-mediatypes", "false"}, {"annotation.a", "b"}}).flavour == oci);
}

TEST_CASE("an output's own epoch goes before that of the build") {
  CHECK(read("oci", {{"rewrite-timestamp", "true"}}).layers.clamp == 1000);
  const auto output = read("oci", {{"rewrite-timestamp", "true"}, {"source-date-epoch", "5"}});
  CHECK(output.layers.clamp == 5);
  CHECK(!read("oci", {{"source-date-epoch", "5"}}).layers.clamp);
}

TEST_CASE("annotations of the request come before those of the output") {
  BuildRequest request;
  request.annotations = image::parse_annotation("a=1");
  const auto output = read("oci", {{"annotation.b", "2"}}, request);
  REQUIRE(output.annotations.size() == 2);
  CHECK(output.annotations[0].key == "a");
  CHECK(output.annotations[1].key == "b");
}
