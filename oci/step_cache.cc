#include "oci/step_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace mbuild::image {
namespace {

using Json = nlohmann::ordered_json;

constexpr int k_version = 1;

Error wrong(const std::string& what) { return {ExitClass::network, "it is no cache of mbuild: " + what}; }

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return "";
  if (!found->is_string()) throw wrong(fmt::format("{} is no text", name));
  return found->get<std::string>();
}

Digest digest_of(const Json& object, const char* name) {
  auto text = text_of(object, name);
  if (!is_sha256_digest(text)) throw wrong(fmt::format("{} is no digest", name));
  return text;
}

std::int64_t number_of(const Json& object, const char* name, std::int64_t otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  if (!found->is_number_integer()) throw wrong(fmt::format("{} is no number", name));
  return found->get<std::int64_t>();
}

const Json& list_of(const Json& object, const char* name) {
  static const Json k_none = Json::array();
  const auto found = object.find(name);
  if (found == object.end()) return k_none;
  if (!found->is_array()) throw wrong(fmt::format("{} is no list", name));
  return *found;
}

void set(Json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}

void set(Json& object, const char* name, std::int64_t value, std::int64_t otherwise) {
  if (value != otherwise) object[name] = value;
}

Json json_of(const CachedStep& step) {
  Json json = {{"definition", step.definition}, {"inputs", step.inputs}, {"key", step.key}, {"result", step.result}};
  set(json, "created", step.created, 0);
  set(json, "duration", step.duration_ms, 0);
  set(json, "emulator", step.emulator);
  set(json, "name", step.name);
  return json;
}

CachedStep step_of(const Json& json) {
  if (!json.is_object()) throw wrong("a step is no object");
  return {.definition = digest_of(json, "definition"),
          .inputs = digest_of(json, "inputs"),
          .key = digest_of(json, "key"),
          .result = digest_of(json, "result"),
          .created = number_of(json, "created", 0),
          .duration_ms = number_of(json, "duration", 0),
          .emulator = text_of(json, "emulator"),
          .name = text_of(json, "name")};
}

Json json_of(const CachedLayer& layer) {
  Json json = {{"result", layer.result}, {"diffId", layer.diff_id}};
  if (!layer.blob.digest.empty()) {
    json["mediaType"] = layer.blob.media_type;
    json["digest"] = layer.blob.digest;
    json["size"] = layer.blob.size;
  }
  set(json, "level", layer.level, -1);
  if (layer.clamp_mtime) json["clamp"] = *layer.clamp_mtime;
  if (!layer.audited.empty()) json["audited"] = layer.audited;
  return json;
}

CachedLayer layer_of(const Json& json) {
  if (!json.is_object()) throw wrong("a layer is no object");
  CachedLayer layer{
      .result = digest_of(json, "result"), .diff_id = digest_of(json, "diffId"), .blob = {}, .audited = {}};
  if (json.contains("digest")) {
    layer.blob = {.media_type = text_of(json, "mediaType"), .digest = digest_of(json, "digest")};
    const auto size = number_of(json, "size", 0);
    if (size <= 0 || !is_layer_type(layer.blob.media_type)) throw wrong("a layer has no size or type");
    layer.blob.size = static_cast<std::uint64_t>(size);
  }
  layer.level = static_cast<int>(number_of(json, "level", -1));
  if (json.contains("clamp")) layer.clamp_mtime = number_of(json, "clamp", 0);
  for (const auto& platform : list_of(json, "audited")) {
    if (platform.is_string()) layer.audited.push_back(platform.get<std::string>());
  }
  return layer;
}

Json json_of(const StepCache& cache) {
  Json json = {{"version", k_version}, {"steps", Json::array()}, {"layers", Json::array()}};
  for (const auto& step : cache.steps) json["steps"].push_back(json_of(step));
  for (const auto& layer : cache.layers) json["layers"].push_back(json_of(layer));
  return json;
}

StepCache cache_of(const Json& json) {
  if (!json.is_object()) throw wrong("it is no JSON object");
  const auto version = number_of(json, "version", 0);
  if (version != k_version) throw wrong(fmt::format("its version is {}", version));
  StepCache cache;
  for (const auto& step : list_of(json, "steps")) cache.steps.push_back(step_of(step));
  for (const auto& layer : list_of(json, "layers")) cache.layers.push_back(layer_of(layer));
  return cache;
}

}  // namespace

std::string serialise_step_cache(const StepCache& cache) {
  return json_of(cache).dump(-1, ' ', false, Json::error_handler_t::replace);
}

StepCache parse_step_cache(std::string_view json) { return cache_of(Json::parse(json, nullptr, false)); }

Manifest step_cache_manifest(const StepCache& cache, const Descriptor& config) {
  Manifest manifest{.media_type = std::string(media_type::k_oci_manifest),
                    .artifact_type = std::string(k_step_cache_artifact),
                    .config = config,
                    .layers = {},
                    .subject = {},
                    .annotations = {}};
  std::set<Digest> seen;
  for (const auto& layer : cache.layers) {
    if (seen.insert(layer.blob.digest).second) manifest.layers.push_back(layer.blob);
  }
  return manifest;
}

StepCache parse_inline_cache(std::string_view config, const Manifest& manifest) {
  const Json root = Json::parse(config, nullptr, false);
  if (!root.is_object() || !root.contains(k_inline_cache_member)) return {};
  StepCache cache = cache_of(root[std::string(k_inline_cache_member)]);
  std::map<Digest, Descriptor> blobs;
  if (root.contains("rootfs") && root["rootfs"].is_object()) {
    const auto& diff_ids = list_of(root["rootfs"], "diff_ids");
    for (std::size_t i = 0; i < std::min(diff_ids.size(), manifest.layers.size()); ++i) {
      if (diff_ids[i].is_string()) blobs[diff_ids[i].get<std::string>()] = manifest.layers[i];
    }
  }
  std::erase_if(cache.layers, [&](CachedLayer& layer) {
    const auto found = blobs.find(layer.diff_id);
    if (found == blobs.end()) return true;
    layer.blob = {.media_type = found->second.media_type, .digest = found->second.digest, .size = found->second.size};
    return false;
  });
  return cache;
}

}  // namespace mbuild::image
