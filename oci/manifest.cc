#include "oci/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace mbuild::image {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

[[noreturn]] void broken(std::string what) { throw Error(ExitClass::network, std::move(what)); }

// True where more than `limit` objects and lists stand in each other. The parser could say so itself by a callback, but
// for each object that ends with one it looks through all of the list around it: an index of n entries took n * n
// steps.
bool is_nested_deeper(std::string_view text, int limit) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted) {
      if (c == '\\') ++i;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > limit) return true;
  }
  return false;
}

json parse(std::string_view text, std::string_view what) {
  constexpr int k_max_depth = 64;
  if (is_nested_deeper(text, k_max_depth)) broken(fmt::format("{} is nested too deeply", what));
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) broken(fmt::format("{} is no valid JSON", what));
  if (!document.is_object()) broken(fmt::format("{} is no JSON object", what));
  return document;
}

std::string text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "";
  if (!found->is_string()) broken(fmt::format("\"{}\" is no text", name));
  return found->get<std::string>();
}

std::map<std::string, std::string> annotations_of(const json& object) {
  std::map<std::string, std::string> result;
  const auto found = object.find("annotations");
  if (found == object.end() || found->is_null()) return result;
  if (!found->is_object()) broken("\"annotations\" is no object");
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) broken(fmt::format("the annotation \"{}\" is no text", key));
    result[key] = value.get<std::string>();
  }
  return result;
}

platforms::Platform platform_of(const json& object) {
  if (!object.is_object()) broken("\"platform\" is no object");
  return platforms::checked({text_member(object, "os"), text_member(object, "architecture"),
                             text_member(object, "variant"), text_member(object, "os.version")});
}

Descriptor descriptor_of(const json& object) {
  if (!object.is_object()) broken("a descriptor is no object");
  Descriptor descriptor;
  descriptor.media_type = text_member(object, "mediaType");
  descriptor.digest = text_member(object, "digest");
  if (!is_sha256_digest(descriptor.digest)) {
    broken(fmt::format("\"{}\" is no SHA-256 digest", descriptor.digest));
  }
  const auto size = object.find("size");
  if (size == object.end() || !size->is_number_unsigned()) broken("a descriptor has no valid \"size\"");
  descriptor.size = size->get<std::uint64_t>();
  descriptor.artifact_type = text_member(object, "artifactType");
  descriptor.annotations = annotations_of(object);
  if (const auto platform = object.find("platform"); platform != object.end() && !platform->is_null()) {
    descriptor.platform = platform_of(*platform);
  }
  if (const auto urls = object.find("urls"); urls != object.end() && urls->is_array()) {
    for (const json& url : *urls) {
      if (!url.is_string()) broken("an entry of \"urls\" is no text");
      descriptor.urls.push_back(url.get<std::string>());
    }
  }
  return descriptor;
}

std::vector<Descriptor> descriptors_of(const json& object, const char* name) {
  std::vector<Descriptor> result;
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return result;
  if (!found->is_array()) broken(fmt::format("\"{}\" is no list", name));
  for (const json& entry : *found) result.push_back(descriptor_of(entry));
  return result;
}

std::optional<Descriptor> subject_of(const json& object) {
  const auto found = object.find("subject");
  if (found == object.end() || found->is_null()) return std::nullopt;
  return descriptor_of(*found);
}

void check_version(const json& document) {
  const auto version = document.find("schemaVersion");
  if (version == document.end()) return;
  if (!version->is_number_integer() || *version != 2) {
    throw Error(ExitClass::network,
                fmt::format("the manifest is of schema version {}; only version 2 is supported", version->dump()))
        .with_advice("Images of Docker's schema version 1 are obsolete: pull and push the image with a current tool.");
  }
}

// The media type of config is what tells a Docker manifest without a media type from an OCI one.
std::string manifest_type_or(std::string type, const Descriptor& config) {
  if (!type.empty()) return type;
  return std::string(config.media_type == media_type::k_docker_config ? media_type::k_docker_manifest
                                                                      : media_type::k_oci_manifest);
}

ordered_json to_json(const Descriptor& descriptor) {
  ordered_json object;
  object["mediaType"] = descriptor.media_type;
  object["digest"] = descriptor.digest;
  object["size"] = descriptor.size;
  if (!descriptor.urls.empty()) object["urls"] = descriptor.urls;
  if (!descriptor.annotations.empty()) object["annotations"] = descriptor.annotations;
  if (descriptor.platform) {
    ordered_json platform;
    platform["architecture"] = descriptor.platform->arch;
    platform["os"] = descriptor.platform->os;
    if (!descriptor.platform->os_version.empty()) platform["os.version"] = descriptor.platform->os_version;
    if (!descriptor.platform->variant.empty()) platform["variant"] = descriptor.platform->variant;
    object["platform"] = std::move(platform);
  }
  if (!descriptor.artifact_type.empty()) object["artifactType"] = descriptor.artifact_type;
  return object;
}

ordered_json to_json(const std::vector<Descriptor>& descriptors) {
  ordered_json list = ordered_json::array();
  for (const Descriptor& descriptor : descriptors) list.push_back(to_json(descriptor));
  return list;
}

// Bytes that are no UTF-8 cannot come from what was parsed; what a caller made of them becomes U+FFFD.
std::string dump(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json head(const std::string& media_type, const std::string& artifact_type) {
  ordered_json document;
  document["schemaVersion"] = 2;
  document["mediaType"] = media_type;
  if (!artifact_type.empty()) document["artifactType"] = artifact_type;
  return document;
}

void add_tail(ordered_json& document, const std::optional<Descriptor>& subject,
              const std::map<std::string, std::string>& annotations) {
  if (subject) document["subject"] = to_json(*subject);
  if (!annotations.empty()) document["annotations"] = annotations;
}

struct LayerTypes {
  std::string_view oci, docker;
};
constexpr std::array k_layer_types = {
    LayerTypes{media_type::k_oci_layer, media_type::k_docker_layer},
    LayerTypes{media_type::k_oci_layer_gzip, media_type::k_docker_layer_gzip},
    LayerTypes{media_type::k_oci_layer_zstd, media_type::k_docker_layer_zstd},
    LayerTypes{media_type::k_oci_foreign_layer_gzip, media_type::k_docker_foreign_layer_gzip},
    LayerTypes{media_type::k_oci_foreign_layer, ""},
    LayerTypes{media_type::k_oci_foreign_layer_zstd, ""},
};

}  // namespace

Manifest parse_manifest(std::string_view text) {
  const json document = parse(text, "the manifest");
  check_version(document);
  if (document.contains("manifests")) broken("the manifest is an index");
  Manifest manifest;
  const auto config = document.find("config");
  if (config == document.end()) broken("the manifest has no \"config\"");
  manifest.config = descriptor_of(*config);
  manifest.media_type = manifest_type_or(text_member(document, "mediaType"), manifest.config);
  if (!is_manifest_type(manifest.media_type)) broken(fmt::format("{} is no image manifest", manifest.media_type));
  manifest.artifact_type = text_member(document, "artifactType");
  manifest.layers = descriptors_of(document, "layers");
  manifest.subject = subject_of(document);
  manifest.annotations = annotations_of(document);
  return manifest;
}

Index parse_index(std::string_view text) {
  const json document = parse(text, "the image index");
  check_version(document);
  if (!document.contains("manifests")) broken("the image index has no \"manifests\"");
  if (document.contains("config") || document.contains("layers")) broken("the image index is a manifest too");
  Index index;
  index.media_type = text_member(document, "mediaType");
  if (index.media_type.empty()) index.media_type = media_type::k_oci_index;
  if (!is_index_type(index.media_type)) broken(fmt::format("{} is no image index", index.media_type));
  index.artifact_type = text_member(document, "artifactType");
  index.manifests = descriptors_of(document, "manifests");
  index.subject = subject_of(document);
  index.annotations = annotations_of(document);
  return index;
}

Descriptor parse_descriptor(std::string_view text) { return descriptor_of(parse(text, "the descriptor")); }

std::vector<Descriptor> parse_listing(std::string_view text) {
  std::vector<Descriptor> entries;
  json document;
  try {
    document = parse(text, "the list of referrers");
  } catch (const Error&) {
    return entries;
  }
  for (const json& entry : document["manifests"]) {
    try {
      entries.push_back(descriptor_of(entry));
    } catch (const Error&) {  // of another digest algorithm, say
    }
  }
  return entries;
}

std::optional<Referrer> parse_referrer(const Descriptor& descriptor, std::string_view bytes) {
  const auto listed = [&](const auto& document, std::string artifact_type) -> std::optional<Referrer> {
    if (!document.subject || document.media_type != descriptor.media_type) return std::nullopt;
    Referrer referrer{.subject = document.subject->digest, .descriptor = describe(descriptor.media_type, bytes)};
    referrer.descriptor.artifact_type = std::move(artifact_type);
    referrer.descriptor.annotations = document.annotations;
    return referrer;
  };
  if (is_index_type(descriptor.media_type)) {
    const auto index = parse_index(bytes);
    return listed(index, index.artifact_type);
  }
  if (!is_manifest_type(descriptor.media_type)) return std::nullopt;
  const auto manifest = parse_manifest(bytes);
  return listed(manifest, manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type);
}

void check_is_image_or_index(std::string_view text, std::string_view type) {
  const json document = parse(text, "the manifest");
  check_version(document);
  if (type.empty()) type = document.contains("manifests") ? media_type::k_oci_index : media_type::k_oci_manifest;
  if (is_index_type(type) || is_manifest_type(type)) return;
  throw Error(ExitClass::network, fmt::format("{} is neither an image nor an image index", type))
      .with_advice("Check the name: it is that of something else.");
}

bool is_index_document(std::string_view text) {
  const json document = parse(text, "the manifest");
  const std::string type = text_member(document, "mediaType");
  return type.empty() ? document.contains("manifests") : is_index_type(type);
}

std::string serialise_manifest(const Manifest& manifest) {
  ordered_json document = head(manifest.media_type, manifest.artifact_type);
  document["config"] = to_json(manifest.config);
  document["layers"] = to_json(manifest.layers);
  add_tail(document, manifest.subject, manifest.annotations);
  return dump(document);
}

std::string serialise_index(const Index& index) {
  ordered_json document = head(index.media_type, index.artifact_type);
  document["manifests"] = to_json(index.manifests);
  add_tail(document, index.subject, index.annotations);
  return dump(document);
}

std::string serialise_descriptor(const Descriptor& descriptor) { return dump(to_json(descriptor)); }

Descriptor describe(std::string_view media_type, std::string_view bytes) {
  Descriptor descriptor;
  descriptor.media_type = media_type;
  descriptor.digest = sha256(bytes);
  descriptor.size = bytes.size();
  return descriptor;
}

bool is_index_type(std::string_view type) {
  return type == media_type::k_oci_index || type == media_type::k_docker_index;
}

bool is_manifest_type(std::string_view type) {
  return type == media_type::k_oci_manifest || type == media_type::k_docker_manifest;
}

bool is_layer_type(std::string_view type) {
  return std::any_of(k_layer_types.begin(), k_layer_types.end(),
                     [&](const LayerTypes& types) { return type == types.oci || type == types.docker; });
}

bool is_attestation(const Descriptor& descriptor) {
  return descriptor.annotations.contains(std::string(k_annotation_reference_type)) ||
         (descriptor.platform && descriptor.platform->os == "unknown" && descriptor.platform->arch == "unknown");
}

std::string layer_type_in(std::string_view type, MediaFlavour flavour) {
  for (const LayerTypes& types : k_layer_types) {
    if (type.empty() || (type != types.oci && type != types.docker)) continue;
    if (flavour == MediaFlavour::oci) return std::string(types.oci);
    if (types.oci == media_type::k_oci_layer_zstd || types.docker.empty()) break;
    return std::string(types.docker);
  }
  if (flavour == MediaFlavour::oci) return std::string(type);
  throw Error(ExitClass::usage, fmt::format("Docker's media types have no word for a layer of type {}", type))
      .with_advice("export with oci-mediatypes=true");
}

}  // namespace mbuild::image
