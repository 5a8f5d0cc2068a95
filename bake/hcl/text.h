#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Unicode text: code points, characters as a reader counts them, letters.
namespace mbuild::bake::hcl {

struct CodePoint {
  std::int32_t value = -1;  // -1: these bytes are no UTF-8
  std::size_t size = 1;     // in bytes
};

// What begins at `offset`, which is before the end.
CodePoint code_point_at(std::string_view text, std::size_t offset);
void append_code_point(std::string& text, std::int32_t code_point);
bool is_utf8(std::string_view text);

// The grapheme clusters of the text, in order.
std::vector<std::string_view> characters(std::string_view text);
std::size_t count_characters(std::string_view text);

bool is_space(std::int32_t code_point);
bool is_letter(std::int32_t code_point);
bool is_digit(std::int32_t code_point);
bool begins_identifier(std::int32_t code_point);
bool continues_identifier(std::int32_t code_point);
// The bytes of the identifier that the text begins with; 0 for none.
std::size_t identifier_length(std::string_view text);

std::string_view trim_left(std::string_view text);
std::string_view trim_right(std::string_view text);

// Each code point by Unicode's simple mapping.
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
// The first letter of each word in title case.
std::string to_title(std::string_view text);

}  // namespace mbuild::bake::hcl
