#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "layers/serialise.h"

// Attributes of outputs and caches as users write them, "name=value".
namespace mbuild::executor {

using AttributeList = std::vector<std::pair<std::string, std::string>>;  // in the order in which they are written
using AttributeMap = std::map<std::string, std::string>;

// "" where it is not given.
std::string text_attribute(const AttributeMap& attributes, const std::string& name);
// None where `text` is no whole number.
std::optional<std::int64_t> number_in(std::string_view text);
// Likewise, or where it is not from 0 to `most`.
std::optional<int> level_in(std::string_view text, int most);
// What the attribute "compression" names; gzip where it is not given. Throws Error (usage).
image::Compression compression_attribute(const AttributeMap& attributes);

}  // namespace mbuild::executor
