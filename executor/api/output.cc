#include "executor/api/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::executor {
namespace {

constexpr std::array<std::string_view, 7> k_types = {"oci", "docker", "local", "tar", "image", "registry", "cacheonly"};

const std::vector<std::string>& known_attributes(OutputType type) {
  static const std::vector<std::string> k_of_images = {"name",
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
  static const std::vector<std::string> k_of_files = {"mode", "platform-split", "attestation-prefix",
                                                      "rewrite-timestamp", "source-date-epoch"};
  static const std::vector<std::string> k_none;
  if (is_image_type(type)) return k_of_images;
  return type == OutputType::cacheonly ? k_none : k_of_files;
}

// The names of attributes are case-insensitive, those of annotations are not: "annotation.com.example.Key".
std::string normalised(std::string_view name) {
  name = trim(name);
  auto lower = to_lower(name);
  const auto dot = lower.starts_with("annotation") ? name.find('.') : std::string_view::npos;
  return dot == std::string_view::npos ? lower : lower.substr(0, dot) + std::string(name.substr(dot));
}

OutputType type_named(const std::string& name) {
  if (name.empty()) throw usage_error("type is required for --output");
  const auto found = std::ranges::find(k_types, name);
  if (found != k_types.end()) return static_cast<OutputType>(found - k_types.begin());
  const std::vector<std::string> known(k_types.begin(), k_types.end());
  throw usage_error(fmt::format("exporter \"{}\" could not be found{}", name, did_you_mean(name, known)))
      .with_advice("Types are " + join(known, ", ") + ".");
}

bool flag(const AttributeMap& attributes, const std::string& name, bool otherwise) {
  const std::string value = to_lower(text_attribute(attributes, name));
  if (value.empty()) return attributes.contains(name) || otherwise;
  if (value == "true" || value == "1" || value == "t") return true;
  if (value == "false" || value == "0" || value == "f") return false;
  throw usage_error(fmt::format("non-bool value {} specified for {}", value, name));
}

image::Compression compression_of(const AttributeMap& attributes) {
  if (text_attribute(attributes, "compression") == "estargz") {
    throw usage_error("compression=estargz: mbuild does not write eStargz layers")
        .with_advice("A layer without its table of contents would not be loaded lazily: take gzip or zstd.");
  }
  return compression_attribute(attributes);
}

std::optional<int> level_of(const AttributeMap& attributes, image::Compression compression) {
  const std::string text = text_attribute(attributes, "compression-level");
  if (text.empty()) return std::nullopt;
  const int most = compression == image::Compression::zstd ? 22 : 9;
  if (const auto level = level_in(text, most)) return level;
  throw usage_error(
      fmt::format("invalid compression-level {}: 0 to {} for {}", text, most, image::compression_name(compression)));
}

// Which defaults of BuildKit's history are meant: 10, 20 or 30 (the present ones).
int compatibility_of(const AttributeMap& attributes) {
  const std::string text = text_attribute(attributes, "compatibility-version");
  if (text.empty() || text == "30") return 30;
  if (text == "10") return 10;
  if (text == "20") return 20;
  throw usage_error(fmt::format("unsupported compatibility-version {}", text))
      .with_advice("Versions are 10, 20 and 30.");
}

std::optional<std::int64_t> epoch_of(const AttributeMap& attributes) {
  const std::string text = text_attribute(attributes, "source-date-epoch");
  if (text.empty()) return std::nullopt;
  if (const auto epoch = number_in(text)) return epoch;
  throw usage_error(fmt::format("invalid source-date-epoch: {}", text))
      .with_advice("It is a number of seconds since 1970.");
}

// An attribute that the type does not look at is not checked either.
ImageAttributes image_attributes(OutputType type, const AttributeMap& attributes) {
  const bool is_pushed_type = type == OutputType::image || type == OutputType::registry;
  ImageAttributes image;
  for (const auto& [name, value] : attributes) {
    if (auto annotation = image::parse_annotation_attribute(name, value))
      image.annotations.push_back(std::move(*annotation));
  }
  image.compression = compression_of(attributes);
  image.level = level_of(attributes, image.compression);
  image.force_compression = flag(attributes, "force-compression", false);
  const bool oci = type == OutputType::oci || compatibility_of(attributes) >= 30;
  image.oci_media_types = flag(attributes, "oci-mediatypes", oci || image.compression == image::Compression::zstd);
  image.push = is_pushed_type && flag(attributes, "push", type == OutputType::registry);
  image.push_by_digest = flag(attributes, "push-by-digest", false);
  image.insecure = image.push && flag(attributes, "registry.insecure", false);
  const std::string names = text_attribute(attributes, "name");
  if (!names.empty() && names != "*") image.names = split(names, ',');
  image.store = type == OutputType::image && flag(attributes, "store", true);
  image.canonical = flag(attributes, "name-canonical", false);
  image.as_tar = flag(attributes, "tar", true);
  return image;
}

bool removes_others(const AttributeMap& attributes) {
  const std::string mode = text_attribute(attributes, "mode");
  if (mode.empty() || mode == "copy" || mode == "delete") return mode == "delete";
  throw usage_error(fmt::format("invalid local exporter mode \"{}\"", mode)).with_advice("Modes are copy and delete.");
}

FileAttributes file_attributes(OutputType type, const AttributeMap& attributes) {
  FileAttributes files;
  files.remove_others = type == OutputType::local && removes_others(attributes);
  if (attributes.contains("platform-split")) files.platform_split = flag(attributes, "platform-split", true);
  return files;
}

std::vector<std::string> ignored(OutputType type, const AttributeMap& attributes) {
  const auto& known = known_attributes(type);
  std::vector<std::string> messages;
  for (const auto& [name, value] : attributes) {
    if (std::ranges::find(known, name) != known.end() || name.starts_with("annotation")) continue;
    messages.push_back(fmt::format("the {} exporter has no attribute \"{}\", which is ignored{}", to_string(type), name,
                                   did_you_mean(name, known)));
  }
  return messages;
}

std::string taken_out(AttributeMap& attributes, const std::string& name) {
  const auto node = attributes.extract(name);
  return node.empty() ? "" : node.mapped();
}

}  // namespace

std::string_view to_string(OutputType type) { return k_types.at(static_cast<std::size_t>(type)); }

bool is_image_type(OutputType type) {
  return type == OutputType::oci || type == OutputType::docker || type == OutputType::image ||
         type == OutputType::registry;
}

namespace {

bool is_directory(const Output& output) {
  return output.type == OutputType::local || (is_image_type(output.type) && !output.image.as_tar);
}

}  // namespace

Output parse_output(const AttributeList& list) {
  AttributeMap attributes;
  for (const auto& [name, value] : list) attributes[normalised(name)] = value;
  Output output;
  output.type = type_named(taken_out(attributes, "type"));
  output.destination = taken_out(attributes, "dest");
  if (output.type == OutputType::local && output.destination.empty())
    throw usage_error("dest is required for local exporter");
  output.ignored = ignored(output.type, attributes);
  if (output.type == OutputType::cacheonly) return output;
  if (is_image_type(output.type)) {
    output.image = image_attributes(output.type, attributes);
  } else {
    output.files = file_attributes(output.type, attributes);
  }
  if (output.destination == "-" && is_directory(output)) {
    throw usage_error(
        fmt::format("dest cannot be stdout for {} exporter", k_types[static_cast<std::size_t>(output.type)]))
        .with_advice("Name a directory.");
  }
  output.epoch = epoch_of(attributes);
  output.rewrite_timestamp = flag(attributes, "rewrite-timestamp", false);
  return output;
}

Output default_output(OutputType type) { return parse_output({{"type", std::string(to_string(type))}}); }

}  // namespace mbuild::executor
