#include "executor/api/cache_reference.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::executor {
namespace {

// Other builders have the last three: asked for, they are known but not done.
const std::vector<std::string>& known_types() {
  static const std::vector<std::string> k_types = {"registry", "local", "inline", "gha", "s3", "azblob"};
  return k_types;
}

bool flag(const AttributeMap& attributes, const std::string& name) {
  const auto value = to_lower(text_attribute(attributes, name));
  if (value.empty() || value == "false" || value == "0") return false;
  if (value == "true" || value == "1") return true;
  throw usage_error(fmt::format("non-bool value {} specified for {}", value, name));
}

bool is_max(const AttributeMap& attributes) {
  const auto mode = text_attribute(attributes, "mode");
  if (mode.empty() || mode == "min") return false;
  if (mode == "max") return true;
  throw usage_error(fmt::format("invalid cache mode \"{}\"", mode)).with_advice("Modes are min and max.");
}

std::optional<int> blob_level(const AttributeMap& attributes) {
  constexpr int k_most = 22;
  const auto text = text_attribute(attributes, "compression-level");
  if (text.empty()) return std::nullopt;
  if (const auto level = level_in(text, k_most)) return level;
  throw usage_error(fmt::format("invalid compression-level {}", text));
}

std::string as_written(const AttributeList& list) {
  std::vector<std::string> fields;
  for (const auto& [name, value] : list) fields.push_back(name + "=" + value);
  return join(fields, ",");
}

}  // namespace

std::string to_string(const CacheReference& reference) {
  if (reference.type == "registry") return reference.ref;
  if (reference.type != "local") return reference.type;
  return reference.source.empty() ? reference.destination : reference.source;
}

CacheReference parse_cache(const AttributeList& list, CacheUse use) {
  AttributeMap attributes;
  for (const auto& [name, value] : list) attributes[to_lower(trim(name))] = value;
  CacheReference cache;
  cache.type = text_attribute(attributes, "type");
  if (cache.type.empty()) throw usage_error("type required form> \"" + as_written(list) + "\"");
  if (std::ranges::find(known_types(), cache.type) == known_types().end()) {
    throw usage_error(fmt::format("unknown cache type \"{}\"{}", cache.type, did_you_mean(cache.type, known_types())))
        .with_advice("Types are registry, local and inline.");
  }
  cache.ref = text_attribute(attributes, "ref");
  cache.source = text_attribute(attributes, "src");
  cache.destination = text_attribute(attributes, "dest");
  cache.tag = text_attribute(attributes, "tag");
  cache.digest = text_attribute(attributes, "digest");
  if (use == CacheUse::read) return cache;
  cache.max = is_max(attributes);
  cache.compression = compression_attribute(attributes);
  cache.level = blob_level(attributes);
  cache.ignore_error = flag(attributes, "ignore-error");
  cache.reset = flag(attributes, "reset");
  return cache;
}

}  // namespace mbuild::executor
