#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mbuild {

std::vector<std::string> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
// The first of many, and how many more there are: "a, b and 49998 more".
std::string join_some(std::span<const std::string> parts, std::size_t most = 20);
// At most `most` bytes (a little less, so that no character is cut), and what was left out: "abc... (99 bytes more)".
std::string clip_text(std::string_view text, std::size_t most);
std::string_view trim(std::string_view text, std::string_view blanks = " \t\r\n\v\f");
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool iequals(std::string_view a, std::string_view b);
// One CSV record (RFC 4180): fields may be quoted with double quotes. Throws Error (usage) on a stray quote.
std::vector<std::string> split_csv(std::string_view text);
// Levenshtein distance in bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);
// The nearest of `known` that is near enough to be meant (distance at most 3 and less than the word's length), else "".
std::string nearest(std::string_view word, std::span<const std::string> known);
// " (did you mean X?)" or "".
std::string did_you_mean(std::string_view word, std::span<const std::string> known);
// Lexical clean-up of a slash path: no ".", "..", doubled or trailing slashes; "" becomes ".".
std::string clean_path(std::string_view path);
// `path` if absolute, else joined to `base`; cleaned.
std::string join_path(std::string_view base, std::string_view path);
std::string base_name(std::string_view path);
std::string dir_name(std::string_view path);
// As a shell takes it for one word: in quotes where it has to be.
std::string shell_word(std::string_view text);
// "128m", "1.5GB", "100": bytes; units b k m g t p with optional b/ib, powers of 1024. Throws Error (usage).
std::uint64_t parse_size(std::string_view text);

}  // namespace mbuild
