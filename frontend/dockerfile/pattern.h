#pragma once

#include <string>
#include <string_view>

// The patterns of ${name#pattern}, ${name%pattern} and ${name/pattern/text}: "*", "?", and "\" before one of them.
namespace mbuild::frontend::dockerfile {

// `value` without the prefix or suffix that the pattern matches: the longest one, or the shortest.
// All throw Error (usage): invalid pattern (P) in substitution: invalid escape '\x'.
std::string remove_prefix(std::string_view value, std::string_view pattern, bool longest);
std::string remove_suffix(std::string_view value, std::string_view pattern, bool longest);
// `value` with the first match replaced, or every match from left to right; the longest one at each place.
std::string replace_matches(std::string_view value, std::string_view pattern, std::string_view replacement, bool all);

}  // namespace mbuild::frontend::dockerfile
