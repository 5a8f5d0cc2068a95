#include "executor/api/attribute_values.h"

#include <charconv>

#include "base/error.h"

namespace mbuild::executor {

std::string text_attribute(const AttributeMap& attributes, const std::string& name) {
  const auto found = attributes.find(name);
  return found == attributes.end() ? "" : found->second;
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int> level_in(std::string_view text, int most) {
  const auto level = number_in(text);
  return level && *level >= 0 && *level <= most ? std::optional(static_cast<int>(*level)) : std::nullopt;
}

image::Compression compression_attribute(const AttributeMap& attributes) {
  const auto name = text_attribute(attributes, "compression");
  if (name.empty() || name == "gzip") return image::Compression::gzip;
  if (name == "zstd") return image::Compression::zstd;
  if (name == "uncompressed") return image::Compression::none;
  throw usage_error("unsupported layer compression type " + name)
      .with_advice("Compressions are gzip, zstd and uncompressed.");
}

}  // namespace mbuild::executor
