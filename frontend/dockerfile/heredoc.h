#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/dockerfile/syntax.h"

// Words of the form [FD]<<[-]DELIMITER.
namespace mbuild::frontend::dockerfile {

struct HeredocWord {
  std::string name;  // the delimiter without quotes
  std::string fd;
  bool strip_tabs = false;  // "<<-"
  bool expand = true;       // no part of the delimiter was quoted
};

// The word as a heredoc, if it is one. Throws Error (usage) for a delimiter with unbalanced quotes.
std::optional<HeredocWord> parse_heredoc_word(std::string_view word);
// The heredoc words of a logical line, in order; none when the line's quotes are unbalanced.
std::vector<HeredocWord> heredoc_words(std::string_view line);

// Without the tabs that each line starts with.
std::string strip_leading_tabs(std::string_view text);

// The heredoc with its body as written.
Heredoc make_heredoc(const HeredocWord& word, std::string body);

}  // namespace mbuild::frontend::dockerfile
