#include "image/annotations.h"

#include "base/error.h"
#include "tests/catch.h"
#include "tests/unit/platforms/samples.h"

using namespace mbuild;
using namespace mbuild::image;
using mbuild::testing::k_amd64;
using mbuild::testing::k_arm64;
using Place = AnnotationPlace;

namespace {

std::string failure_of(const std::string& text) {
  try {
    parse_annotation(text);
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an annotation without a type belongs to the manifest") {
  const auto found = parse_annotation("com.example.Key=a=b:c");
  REQUIRE(found.size() == 1);
  CHECK(found[0].place == Place::manifest);
  CHECK(!found[0].platform);
  CHECK(found[0].key == "com.example.Key");
  CHECK(found[0].value == "a=b:c");
}

TEST_CASE("an annotation can have several types, each with its platform") {
  const auto found = parse_annotation("manifest[linux/arm64],index,manifest-descriptor,index-descriptor:k=");
  REQUIRE(found.size() == 4);
  CHECK(found[0].place == Place::manifest);
  CHECK(found[0].platform == k_arm64);
  CHECK(found[1].place == Place::index);
  CHECK(found[2].place == Place::manifest_descriptor);
  CHECK(found[3].place == Place::index_descriptor);
  CHECK(found[3].key == "k");
  CHECK(found[3].value.empty());
}

TEST_CASE("what is no annotation is an error that says why") {
  CHECK(failure_of("novalue") == "invalid annotation \"novalue\", expected key=value");
  CHECK(failure_of("=v") == "invalid annotation \"=v\", expected key=value");
  CHECK(failure_of("indx:k=v") == "unknown annotation type \"indx\" (did you mean index?)");
  CHECK(failure_of("manifest[linux/arm64:k=v").find("square brackets") != std::string::npos);
  CHECK(failure_of("index[linux/arm64]:k=v").find("an index has no platform") != std::string::npos);
}

TEST_CASE("attributes of exporters are annotations too") {
  const auto plain = parse_annotation_attribute("annotation.org.example.title", "t");
  REQUIRE(plain);
  CHECK(plain->key == "org.example.title");
  CHECK(plain->place == Place::manifest);
  const auto full = parse_annotation_attribute("annotation-manifest-descriptor[linux/amd64].a.b", "t");
  REQUIRE(full);
  CHECK(full->key == "a.b");
  CHECK(full->place == Place::manifest_descriptor);
  CHECK(full->platform == k_amd64);
  const auto versioned = parse_annotation_attribute("annotation[linux/amd64].a", "t");
  REQUIRE(versioned);
  CHECK(versioned->platform == k_amd64);
  CHECK(!parse_annotation_attribute("name", "x"));
  CHECK(!parse_annotation_attribute("annotation", "x"));
  CHECK(!parse_annotation_attribute("annotations.x", "x"));
  CHECK_THROWS_AS(parse_annotation_attribute("annotation-nothing.k", "x"), Error);
}

TEST_CASE("what is said of one platform goes before what is said of all") {
  auto list = parse_annotation("manifest[linux/arm64]:k=special");
  for (auto& more : parse_annotation("manifest:k=general")) list.push_back(more);
  CHECK(annotations_for(list, Place::manifest, &k_arm64).at("k") == "special");
  CHECK(annotations_for(list, Place::manifest, &k_amd64).at("k") == "general");
  CHECK(annotations_for(list, Place::index).empty());
}

TEST_CASE("annotations are checked against what is built") {
  const platforms::Platform one[] = {k_amd64};
  const platforms::Platform both[] = {k_amd64, k_arm64};
  CHECK_THROWS_WITH(check_annotations(parse_annotation("index:k=v"), one),
                    "index annotations not supported for single platform export");
  CHECK_NOTHROW(check_annotations(parse_annotation("index:k=v"), both));
  CHECK_THROWS_WITH(check_annotations(parse_annotation("manifest[linux/arm64]:k=v"), one),
                    "invalid annotation: no platform linux/arm64 found in source");
}
