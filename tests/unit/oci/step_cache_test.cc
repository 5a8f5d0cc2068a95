#include "oci/step_cache.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::image;

namespace {

Digest d(const std::string& text) { return sha256(text); }

StepCache sample() {
  StepCache cache;
  cache.steps = {{.definition = d("def"), .inputs = d("in"), .key = d("key"), .result = d("r"), .name = "RUN \xff"},
                 {.definition = d("def2"),
                  .inputs = d("in2"),
                  .key = d("key2"),
                  .result = d("no blob"),
                  .created = 7,
                  .duration_ms = 8,
                  .emulator = "qemu 9"}};
  cache.layers = {{.result = d("r"),
                   .diff_id = d("diff"),
                   .blob = {.media_type = std::string(media_type::k_oci_layer_gzip), .digest = d("blob"), .size = 9},
                   .level = 6,
                   .clamp_mtime = 0,
                   .audited = {"linux/amd64"}}};
  return cache;
}

bool is_refused(const std::string& json) {
  try {
    parse_step_cache(json);
    return false;
  } catch (const Error& error) {
    return error.exit_class == ExitClass::network;
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("A cache of steps reads back as it was written") {
  const std::string json = serialise_step_cache(sample());
  const auto back = parse_step_cache(json);
  CHECK(serialise_step_cache(back) == json);
  REQUIRE(back.steps.size() == 2);
  CHECK(back.steps[0].inputs == d("in"));
  CHECK(back.steps[1].emulator == "qemu 9");
  CHECK(back.steps[1].created == 7);
  REQUIRE(back.layers.size() == 1);
  CHECK(back.layers[0].blob.digest == d("blob"));
  CHECK(back.layers[0].blob.size == 9);
  CHECK(back.layers[0].level == 6);
  CHECK(back.layers[0].clamp_mtime == 0);
  CHECK(back.layers[0].audited == std::vector<std::string>{"linux/amd64"});
}

TEST_CASE("What is no cache is refused") {
  const std::string json = serialise_step_cache(sample());
  for (const char* text : {"", "null", "[]", "{}", "{\"version\":2}", "{\"version\":1,\"steps\":7}",
                           "{\"version\":1,\"steps\":[7]}", "{\"version\":1,\"layers\":[{}]}"}) {
    CAPTURE(text);
    CHECK(is_refused(text));
  }
  CHECK_FALSE(is_refused(json));
  CHECK(is_refused(replaced(json, "\"key\":\"sha256:", "\"key\":\"../../")));
  CHECK(is_refused(replaced(json, "\"size\":9", "\"size\":-9")));
  CHECK(is_refused(replaced(json, "\"size\":9", "\"size\":\"9\"")));
  CHECK(is_refused(replaced(json, std::string(media_type::k_oci_layer_gzip), "text/plain")));
  CHECK(is_refused(json.substr(0, json.size() / 2)));
}

TEST_CASE("The manifest names each blob once") {
  auto cache = sample();
  cache.layers.push_back(cache.layers[0]);
  const auto manifest = step_cache_manifest(cache, describe(k_step_cache_config, "{}"));
  CHECK(manifest.layers.size() == 1);
  CHECK(manifest.config.media_type == k_step_cache_config);
  CHECK(parse_manifest(serialise_manifest(manifest)).artifact_type == k_step_cache_artifact);
}

TEST_CASE("An inline cache takes its blobs from the image's manifest, and drops layers that it has not") {
  auto cache = sample();
  cache.layers[0].blob = {};
  cache.layers.push_back({.result = d("other"), .diff_id = d("not in the image"), .blob = {}, .audited = {}});
  const std::string config = "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" + d("base") + "\",\"" + d("diff") +
                             "\"]},\"mbuild.cache.v1\":" + serialise_step_cache(cache) + "}";
  Manifest manifest;
  manifest.layers = {{.media_type = "a", .digest = d("base blob"), .size = 1},
                     {.media_type = "b", .digest = d("blob"), .size = 2}};
  const auto found = parse_inline_cache(config, manifest);
  CHECK(found.steps.size() == 2);
  REQUIRE(found.layers.size() == 1);
  CHECK(found.layers[0].blob.digest == d("blob"));
  CHECK(found.layers[0].blob.size == 2);
  CHECK(parse_inline_cache("{\"rootfs\":{}}", manifest).steps.empty());
  CHECK(parse_inline_cache("no JSON", manifest).steps.empty());
}
