#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The ways in which instructions take their line apart.
namespace mbuild::frontend::dockerfile {

struct SplitLine {
  std::string keyword;             // as written
  std::vector<std::string> flags;  // leading "--x" words, quotes and escapes removed
  std::string rest;                // trimmed
};

// The word that the line starts with, white space before it left out.
std::string_view first_word(std::string_view line);
// KEYWORD [--flag...] rest. A bare "--" ends the flags.
SplitLine split_line(std::string_view line, char escape);
// Words separated by blanks, quotes being ordinary characters.
std::vector<std::string> split_blanks(std::string_view text);
// Words separated by unquoted, unescaped white space; quotes and escapes stay in them.
std::vector<std::string> split_quoted(std::string_view text, char escape);
// The elements of a JSON array of strings; nothing when the text is no JSON array.
// Throws Error (usage) for an array that holds something else.
std::optional<std::vector<std::string>> parse_json_words(std::string_view text);

}  // namespace mbuild::frontend::dockerfile
