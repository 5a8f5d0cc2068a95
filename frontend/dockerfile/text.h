#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Characters of a Dockerfile: UTF-8, with bytes that are no UTF-8 taken as characters of their own and kept.
namespace mbuild::frontend::dockerfile {

// Bytes of the character that starts at `pos` (1 for a stray byte); `pos` must be inside `text`.
std::size_t char_length(std::string_view text, std::size_t pos);
// Bytes of the white-space character (Unicode's) at `pos`, 0 when there is none or `pos` is the end.
std::size_t space_length(std::string_view text, std::size_t pos);
// True when the character at `pos` may be in a variable's name: a letter, a digit, or "_".
bool is_name_char(std::string_view text, std::size_t pos);

bool is_digit(char c);
// The blanks that separate the arguments of an instruction.
bool is_blank(char c);

// Without white space (Unicode's) at the start; at both ends.
std::string_view trim_left(std::string_view text);
std::string_view trim_space(std::string_view text);

// `text` between double quotes, with quotes, backslashes and control characters escaped, as messages show words.
std::string quote(std::string_view text);

// Throws Error (usage) for more than 16 MiB: substitutions within each other multiply the length of a value.
void check_expanded_length(std::size_t bytes);

}  // namespace mbuild::frontend::dockerfile
