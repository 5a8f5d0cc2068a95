#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "bake/hcl/value.h"

// One verb of a format string, as "%-08.3[2]f". Inner to the room.
namespace mbuild::bake::hcl {

struct FormatVerb {
  char mode = 'v';
  bool plus = false;
  bool minus = false;
  bool space = false;
  bool zero = false;
  bool sharp = false;
  std::optional<std::size_t> width;
  std::optional<std::size_t> precision;
  std::optional<std::size_t> argument;  // counted from 1
  std::string_view text;                // all of it
};

// The verb at the beginning of `text`, which begins with "%". Throws CallError.
FormatVerb parse_verb(std::string_view text);
// The value as the verb has it. Throws CallError or ConversionError.
std::string format_value(const FormatVerb& verb, const Value& value);
// Numbers: 'b', 'd', 'o', 'x', 'X' want a whole one; 'e', 'E', 'f', 'g', 'G' take any.
std::string format_integer(const FormatVerb& verb, const Number& number);
std::string format_float(const FormatVerb& verb, const Number& number);

}  // namespace mbuild::bake::hcl
