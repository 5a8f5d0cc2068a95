#pragma once

#include <string>
#include <string_view>
#include <vector>

// Comma-separated values (RFC 4180).
namespace mbuild::bake::hcl {

// The records of the text, blank lines left out. Throws ConversionError where a quote is out of place or unclosed.
std::vector<std::vector<std::string>> parse_csv(std::string_view text, char separator = ',');

}  // namespace mbuild::bake::hcl
