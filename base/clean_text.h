#pragma once

#include <string>
#include <string_view>

namespace mbuild {

// Text of somebody else as a terminal or a log may have it: "\n", "\t" and well-formed UTF-8 are left. Escape sequences
// (ECMA-48) and control characters are dropped; C1 controls, characters that change the direction of text, separators
// of lines and paragraphs, and bytes that are no UTF-8 become U+FFFD. Cleaning it again changes nothing.
std::string clean_text(std::string_view text);
// The same on one line: "\n" and "\t" are blanks.
std::string clean_line(std::string_view text);

}  // namespace mbuild
