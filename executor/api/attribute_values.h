#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Attributes of outputs and caches as users write them, "name=value".
namespace mbuild::executor {

using AttributeList = std::vector<std::pair<std::string, std::string>>;  // in the order in which they are written
using AttributeMap = std::map<std::string, std::string>;

// "" where it is not given.
std::string text_attribute(const AttributeMap& attributes, const std::string& name);
// None where `text` is no whole number.
std::optional<std::int64_t> number_in(const std::string& text);

}  // namespace mbuild::executor
