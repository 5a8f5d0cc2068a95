#include "executor/api/output.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

Output parsed(const std::string& type, AttributeList attributes = {}) {
  attributes.emplace_back("type", type);
  return parse_output(attributes);
}

std::string failure(const std::string& type, const AttributeList& attributes) {
  return testing::error_of([&] { parsed(type, attributes); });
}

}  // namespace

TEST_CASE("an output has the attributes of its type") {
  const auto output = parsed("oci", {{"dest", "out.tar"}, {"compression", "zstd"}, {"annotation.a", "b,c"}});
  CHECK(output.type == OutputType::oci);
  CHECK(output.destination == "out.tar");
  CHECK(output.image.compression == image::Compression::zstd);
  REQUIRE(output.image.annotations.size() == 1);
  CHECK(output.image.annotations[0].key == "a");
  CHECK(output.image.annotations[0].value == "b,c");
  CHECK(output.ignored.empty());
}

TEST_CASE("names of attributes are told without case and blanks, keys of annotations and values are not") {
  const auto output = parse_output({{"Type", "oci"}, {" DEST ", "Out"}, {"Annotation.com.example.Key", "V"}});
  CHECK(output.destination == "Out");
  REQUIRE(output.image.annotations.size() == 1);
  CHECK(output.image.annotations[0].key == "com.example.Key");
}

TEST_CASE("of an attribute that is given twice the last counts") {
  const auto output = parse_output({{"type", "tar"}, {"type", "oci"}, {"tar", "true"}, {"tar", "false"}});
  CHECK(output.type == OutputType::oci);
  CHECK(!output.image.as_tar);
}

TEST_CASE("outputs without a type that there is are usage errors") {
  CHECK(testing::error_of([] { parse_output({{"dest", "x"}}); }) == "2 type is required for --output");
  CHECK(failure("docke", {}) == "2 exporter \"docke\" could not be found (did you mean docker?)");
  CHECK(failure("local", {}) == "2 dest is required for local exporter");
}

TEST_CASE("defaults of an image that is written") {
  const auto image = parsed("oci").image;
  CHECK(image.compression == image::Compression::gzip);
  CHECK(!image.level);
  CHECK(!image.force_compression);
  CHECK(image.oci_media_types);
  CHECK(image.as_tar);
  CHECK(!image.push);
  CHECK(!image.store);
}

TEST_CASE("an image is kept in the store, one for a registry is pushed") {
  CHECK(parsed("image").image.store);
  CHECK(!parsed("image").image.push);
  CHECK(!parsed("image", {{"store", "false"}}).image.store);
  CHECK(parsed("image", {{"push", "true"}}).image.push);
  CHECK(parsed("registry").image.push);
  CHECK(!parsed("registry").image.store);
  CHECK(!parsed("registry", {{"push", "false"}}).image.push);
  CHECK(default_output(OutputType::registry).image.push);
  CHECK(parsed("image", {{"push-by-digest", ""}}).image.push_by_digest);
  CHECK(parsed("image", {{"name-canonical", "t"}}).image.canonical);
}

TEST_CASE("only what is pushed goes to an insecure registry") {
  CHECK(parsed("registry", {{"registry.insecure", "true"}}).image.insecure);
  CHECK(!parsed("image", {{"registry.insecure", "true"}}).image.insecure);
}

TEST_CASE("names are divided, and a star stands for those of the build") {
  CHECK(parsed("oci", {{"name", "b,c:2"}}).image.names == std::vector<std::string>{"b", "c:2"});
  CHECK(parsed("oci", {{"name", "*"}}).image.names.empty());
}

TEST_CASE("truth is told in three ways, and by the name alone") {
  for (const char* value : {"true", "1", "T", ""})
    CHECK(parsed("oci", {{"rewrite-timestamp", value}}).rewrite_timestamp);
  for (const char* value : {"false", "0", "F"}) CHECK(!parsed("oci", {{"tar", value}}).image.as_tar);
  CHECK(failure("oci", {{"force-compression", "maybe"}}) == "2 non-bool value maybe specified for force-compression");
}

TEST_CASE("levels are those of the compression") {
  CHECK(parsed("oci", {{"compression", "zstd"}, {"compression-level", "22"}}).image.level == 22);
  CHECK(parsed("oci", {{"compression-level", "0"}}).image.level == 0);
  CHECK(failure("oci", {{"compression", "zstd"}, {"compression-level", "23"}}) ==
        "2 invalid compression-level 23: 0 to 22 for zstd");
  CHECK(failure("oci", {{"compression-level", "10"}}) == "2 invalid compression-level 10: 0 to 9 for gzip");
  CHECK(failure("oci", {{"compression-level", "x"}}) == "2 invalid compression-level x: 0 to 9 for gzip");
  CHECK(failure("oci", {{"compression", "lzma"}}) == "2 unsupported layer compression type lzma");
  CHECK(failure("oci", {{"compression", "estargz"}}) == "2 compression=estargz: mbuild does not write eStargz layers");
}

TEST_CASE("Docker's media types are the default of what was before") {
  CHECK(!parsed("image", {{"compatibility-version", "20"}}).image.oci_media_types);
  CHECK(parsed("image", {{"compatibility-version", "20"}, {"compression", "zstd"}}).image.oci_media_types);
  CHECK(parsed("oci", {{"compatibility-version", "20"}}).image.oci_media_types);
  CHECK(!parsed("oci", {{"oci-mediatypes", "false"}}).image.oci_media_types);
  CHECK(failure("image", {{"compatibility-version", "40"}}) == "2 unsupported compatibility-version 40");
}

TEST_CASE("an epoch is a number") {
  CHECK(parsed("local", {{"dest", "x"}, {"source-date-epoch", "5"}}).epoch == 5);
  CHECK(!parsed("oci").epoch);
  CHECK(failure("oci", {{"source-date-epoch", "yesterday"}}) == "2 invalid source-date-epoch: yesterday");
}

TEST_CASE("files are divided by platform or not, where that is said") {
  CHECK(!parsed("tar").files.platform_split);
  CHECK(parsed("tar", {{"platform-split", ""}}).files.platform_split == true);
  CHECK(parsed("tar", {{"platform-split", "false"}}).files.platform_split == false);
}

TEST_CASE("a local output has two modes, and no other output has one") {
  CHECK(!parsed("local", {{"dest", "x"}}).files.remove_others);
  CHECK(!parsed("local", {{"dest", "x"}, {"mode", "copy"}}).files.remove_others);
  CHECK(parsed("local", {{"dest", "x"}, {"mode", "delete"}}).files.remove_others);
  CHECK(failure("local", {{"dest", "x"}, {"mode", "move"}}) == "2 invalid local exporter mode \"move\"");
  CHECK(!parsed("tar", {{"mode", "delete"}}).files.remove_others);
}

TEST_CASE("attributes that nothing reads are told, with what was probably meant") {
  CHECK(parsed("oci", {{"compresion", "zstd"}}).ignored ==
        std::vector<std::string>{"the oci exporter has no attribute \"compresion\", which is ignored (did you mean "
                                 "compression?)"});
  CHECK(parsed("local", {{"dest", "x"}, {"mode", "delete"}, {"platform-split", "1"}}).ignored.empty());
  const auto other = parsed("tar", {{"push", "maybe"}});
  CHECK(other.ignored == std::vector<std::string>{"the tar exporter has no attribute \"push\", which is ignored"});
  CHECK(parsed("cacheonly", {{"a", "b"}}).ignored.size() == 1);
}
