#include "oci/manifest.h"

#include "tests/catch.h"
#include "tests/unit/layers/fixture.h"

using namespace mbuild;
using namespace mbuild::image;
using namespace mbuild::image::test;
using Catch::Matchers::Contains;

namespace {

const std::string k_digest = sha256("x");
const std::string k_config =
    R"({"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" + k_digest + R"(","size":3})";

}  // namespace

TEST_CASE("a manifest keeps what it says") {
  Manifest manifest;
  manifest.media_type = media_type::k_oci_manifest;
  manifest.config = describe(media_type::k_oci_config, "{}");
  manifest.layers = {describe(media_type::k_oci_layer_gzip, "layer")};
  manifest.layers[0].annotations = {{"b", "2"}, {"a", "1"}};
  manifest.layers[0].urls = {"https://example.org/layer"};
  manifest.annotations = {{"org.example", "x"}};
  manifest.subject = describe(media_type::k_oci_manifest, "subject");
  const std::string bytes = serialise_manifest(manifest);
  CHECK(serialise_manifest(parse_manifest(bytes)) == bytes);
  CHECK(parse_manifest(bytes).layers[0].annotations.at("a") == "1");
  CHECK(bytes.starts_with(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)"));
}

TEST_CASE("an index keeps platforms and annotations") {
  Index index;
  index.media_type = media_type::k_docker_index;
  index.manifests = {describe(media_type::k_docker_manifest, "m")};
  index.manifests[0].platform = platforms::Platform{"linux", "arm", "v7", "1.2"};
  const std::string bytes = serialise_index(index);
  CHECK(serialise_index(parse_index(bytes)) == bytes);
  CHECK(parse_index(bytes).manifests[0].platform == index.manifests[0].platform);
}

TEST_CASE("a missing media type follows from the form") {
  CHECK(parse_manifest(R"({"schemaVersion":2,"config":)" + k_config + R"(,"layers":[]})").media_type ==
        media_type::k_oci_manifest);
  CHECK(parse_index(R"({"schemaVersion":2,"manifests":[]})").media_type == media_type::k_oci_index);
  CHECK(is_index_document(R"({"manifests":[]})"));
  CHECK_FALSE(is_index_document(R"({"config":{}})"));
}

TEST_CASE("malformed manifests are errors that say why") {
  const auto refusal = [](const std::string& text) { return error_of([&] { parse_manifest(text); }); };
  CHECK_THAT(refusal("{"), Contains("no valid JSON"));
  CHECK_THAT(refusal("[]"), Contains("no JSON object"));
  CHECK_THAT(refusal("{}"), Contains("config"));
  CHECK_THAT(refusal(R"({"schemaVersion":1})"), Contains("schema version"));
  CHECK_THAT(refusal(R"({"config":{"digest":"sha256:../../x","size":1}})"), Contains("no SHA-256 digest"));
  CHECK_THAT(refusal(R"({"config":{"digest":")" + k_digest + R"(","size":-1}})"), Contains("size"));
  CHECK_THAT(refusal(R"({"config":)" + k_config + R"(,"layers":{}})"), Contains("no list"));
  CHECK_THAT(refusal(R"({"manifests":[],"config":)" + k_config + "}"), Contains("index"));
  CHECK_THAT(refusal(std::string(100, '[')), Contains("JSON") || Contains("deep"));
  CHECK_THAT(refusal(R"({"a":)" + std::string(100, '[') + std::string(100, ']') + "}"), Contains("deep"));
  CHECK_THAT(error_of([] { parse_index(R"({"manifests":[],"layers":[]})"); }), Contains("manifest too"));
}

TEST_CASE("only what stands in each other counts as depth") {
  const auto refusal = [](const std::string& member) {
    return error_of([&] { parse_index(R"({"manifests":[],"x":)" + member + "}"); });
  };
  CHECK(refusal(std::string(63, '[') + std::string(63, ']')).empty());
  CHECK_THAT(refusal(std::string(64, '[') + std::string(64, ']')), Contains("the image index is nested too deeply"));
  CHECK(refusal('"' + std::string(100, '[') + R"(\"[[\\")").empty());
  CHECK_THAT(refusal(R"("\\",")" + std::string(100, '[')), Contains("no valid JSON"));
  std::string many = "[{}";
  for (int i = 0; i < 1000; ++i) many += ",{}";
  CHECK(refusal(many + "]").empty());
}

TEST_CASE("an index of very many entries is read in one pass") {
  constexpr std::size_t k_entries = 20000;
  Index index;
  index.media_type = media_type::k_oci_index;
  index.manifests.assign(k_entries, describe(media_type::k_oci_manifest, "m"));
  for (Descriptor& entry : index.manifests) entry.platform = platforms::Platform{"linux", "amd64", "", ""};
  CHECK(parse_index(serialise_index(index)).manifests.size() == k_entries);
}

TEST_CASE("layer types have a counterpart in the other flavour") {
  CHECK(layer_type_in(media_type::k_docker_layer_gzip, MediaFlavour::oci) == media_type::k_oci_layer_gzip);
  CHECK(layer_type_in(media_type::k_oci_layer, MediaFlavour::docker) == media_type::k_docker_layer);
  CHECK(layer_type_in(media_type::k_oci_layer_zstd, MediaFlavour::oci) == media_type::k_oci_layer_zstd);
  CHECK_THAT(error_of([] { layer_type_in(media_type::k_oci_layer_zstd, MediaFlavour::docker); }),
             Contains("oci-mediatypes=true"));
  CHECK(is_layer_type(media_type::k_docker_foreign_layer_gzip));
  CHECK_FALSE(is_layer_type(media_type::k_in_toto));
}
