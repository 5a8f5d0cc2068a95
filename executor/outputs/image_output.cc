#include "executor/outputs/image_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/strings.h"
#include "executor/steps/serialisation_key.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

Error usage(std::string message) { return Error(ExitClass::usage, std::move(message)); }

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

image::Compression compression_of(const Output& output) {
  const std::string name = attribute(output, "compression");
  if (name.empty() || name == "gzip") return image::Compression::gzip;
  if (name == "zstd") return image::Compression::zstd;
  if (name == "uncompressed") return image::Compression::none;
  if (name == "estargz") {
    throw usage("compression=estargz: mbuild does not write eStargz layers")
        .with_advice("A layer without its table of contents would not be loaded lazily: take gzip or zstd.");
  }
  throw usage("unsupported layer compression type " + name)
      .with_advice("Compressions are gzip, zstd and uncompressed.");
}

std::optional<int> level_of(const Output& output, const TargetRequest& request, image::Compression compression) {
  const std::string text = attribute(output, "compression-level");
  if (text.empty()) {
    return request.reproducible ? reproducible_level(compression) : std::nullopt;
  }
  const int most = compression == image::Compression::zstd ? 22 : 9;
  const auto level = number_in<int>(text);
  if (!level || *level < 0 || *level > most) {
    throw usage(fmt::format("invalid compression-level {}: 0 to {} for {}", text, most, compression_name(compression)));
  }
  return level;
}

// Which defaults of BuildKit's history are meant: 10, 20 or 30 (the present ones).
int compatibility_of(const Output& output) {
  const std::string text = attribute(output, "compatibility-version");
  if (text.empty() || text == "30") return 30;
  if (text == "10" || text == "20") return number_in<int>(text).value_or(30);
  throw usage(fmt::format("unsupported compatibility-version {}", text)).with_advice("Versions are 10, 20 and 30.");
}

// Annotations need OCI's media types: as in BuildKit they win over oci-mediatypes=false.
image::MediaFlavour flavour_of(const Output& output, image::Compression compression, bool annotated) {
  const bool by_default = output.type == "oci" || compatibility_of(output) >= 30;
  const bool oci = flag(output, "oci-mediatypes", by_default || compression == image::Compression::zstd);
  if (oci || annotated) return image::MediaFlavour::oci;
  if (compression == image::Compression::zstd) {
    throw usage("exporter option \"compression=zstd\" conflicts with \"oci-mediatypes=false\"");
  }
  return image::MediaFlavour::docker;
}

// What an image is to be called, with its tag.
std::string target_name(const std::string& name, bool push_by_digest) {
  auto reference = frontend::parse_reference(trim(name));
  if (!reference.digest.empty()) {
    throw usage(fmt::format("an image can't be given the name {}, which has a digest", name))
        .with_advice("Its digest is known when it is built: leave out what follows the @.");
  }
  if (push_by_digest && !reference.tag.empty()) {
    throw usage(fmt::format("can't push tagged ref {} by digest", name))
        .with_advice("Leave out the tag, or push-by-digest.");
  }
  return frontend::to_string(frontend::with_default_tag(std::move(reference)));
}

std::vector<std::string> names_of(const Output& output, const TargetRequest& request, bool push_by_digest) {
  std::vector<std::string> names = request.tags;
  if (const std::string name = attribute(output, "name"); !name.empty() && name != "*") names = split(name, ',');
  std::vector<std::string> unique;
  for (const auto& name : names) {
    auto full = target_name(name, push_by_digest);
    if (std::ranges::find(unique, full) == unique.end()) unique.push_back(std::move(full));
  }
  return unique;
}

std::vector<image::Annotation> annotations_of(const Output& output, const TargetRequest& request) {
  auto annotations = request.annotations;
  for (const auto& [name, value] : output.attributes) {
    if (auto annotation = image::parse_annotation_attribute(name, value)) annotations.push_back(std::move(*annotation));
  }
  return annotations;
}

}  // namespace

std::string attribute(const Output& output, const std::string& name) {
  const auto found = output.attributes.find(name);
  return found == output.attributes.end() ? "" : found->second;
}

bool flag(const Output& output, const std::string& name, bool otherwise) {
  const std::string value = to_lower(attribute(output, name));
  if (value.empty()) return output.attributes.contains(name) ? true : otherwise;
  if (value == "true" || value == "1" || value == "t") return true;
  if (value == "false" || value == "0" || value == "f") return false;
  throw usage(fmt::format("non-bool value {} specified for {}", value, name));
}

std::optional<std::int64_t> epoch_attribute(const Output& output) {
  const std::string text = attribute(output, "source-date-epoch");
  if (text.empty()) return std::nullopt;
  if (const auto epoch = number_in<std::int64_t>(text)) return epoch;
  throw usage(fmt::format("invalid source-date-epoch: {}", text)).with_advice("It is a number of seconds since 1970.");
}

bool is_push(const Output& output) {
  return (output.type == "registry" || output.type == "image") && flag(output, "push", output.type == "registry");
}

bool is_image_type(const Output& output) {
  return output.type == "oci" || output.type == "docker" || output.type == "image" || output.type == "registry";
}

ImageOutput read_image_output(const Output& output, const TargetRequest& request, std::optional<std::int64_t> epoch) {
  ImageOutput result;
  result.annotations = annotations_of(output, request);
  result.layers.compression = compression_of(output);
  result.layers.level = level_of(output, request, result.layers.compression);
  result.layers.force = flag(output, "force-compression", false);
  result.flavour = flavour_of(output, result.layers.compression, !result.annotations.empty());
  result.epoch = epoch_attribute(output);
  if (request.reproducible || flag(output, "rewrite-timestamp", false)) {
    result.layers.clamp = result.epoch ? result.epoch : epoch;
  }
  result.push = is_push(output);
  result.push_by_digest = flag(output, "push-by-digest", false);
  result.names = names_of(output, request, result.push && result.push_by_digest);
  if (result.push && result.names.empty()) {
    throw usage("tag is needed when pushing to registry").with_advice("Name the image with -t HOST/NAME:TAG.");
  }
  result.store = output.type == "image" && flag(output, "store", true);
  result.canonical = flag(output, "name-canonical", false);
  result.load = output.load;
  result.as_tar = flag(output, "tar", true);
  return result;
}

std::vector<std::string> output_warnings(const Output& output) {
  std::vector<std::string> known;
  if (is_image_type(output)) {
    known = {"name",
             "push",
             "push-by-digest",
             "registry.insecure",
             "compression",
             "compression-level",
             "force-compression",
             "oci-mediatypes",
             "oci-artifact",
             "rewrite-timestamp",
             "source-date-epoch",
             "attestation-inline",
             "prefer-nondist-layers",
             "unpack",
             "store",
             "dangling-name-prefix",
             "danging-name-empty-only",
             "name-canonical",
             "compatibility-version",
             "tar"};
  } else if (output.type == "local" || output.type == "tar") {
    known = {"mode", "platform-split", "attestation-prefix", "rewrite-timestamp", "source-date-epoch"};
  }
  std::vector<std::string> warnings;
  for (const auto& [name, value] : output.attributes) {
    if (std::ranges::find(known, name) != known.end() || name.starts_with("annotation")) continue;
    warnings.push_back(fmt::format("the {} exporter has no attribute \"{}\", which is ignored{}", output.type, name,
                                   did_you_mean(name, known)));
  }
  return warnings;
}

}  // namespace mbuild::executor
