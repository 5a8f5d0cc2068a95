#include "frontend/dockerfile/heredoc.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/text.h"

namespace mbuild::frontend::dockerfile {
namespace {

std::optional<std::string> nothing_is_set(std::string_view) { return std::nullopt; }

std::ptrdiff_t count_quotes(std::string_view text) {
  return std::ranges::count(text, '\'') + std::ranges::count(text, '"');
}

}  // namespace

std::optional<HeredocWord> parse_heredoc_word(std::string_view word) {
  HeredocWord out;
  while (!word.empty() && is_digit(word[0])) {
    out.fd += word[0];
    word.remove_prefix(1);
  }
  if (!word.starts_with("<<")) return std::nullopt;
  word.remove_prefix(2);
  if (word.starts_with('-')) {
    out.strip_tabs = true;
    word.remove_prefix(1);
  }
  while (!word.empty() && (is_blank(word[0]) || word[0] == '\n')) word.remove_prefix(1);
  if (word.empty() || word.find('<') != std::string_view::npos) return std::nullopt;

  // The escape is the backslash whatever the directive says. A delimiter is quoted when quotes get lost.
  const auto plain = expand_words(word, nothing_is_set, {.skip_unset = true});
  if (plain.size() != 1) return std::nullopt;
  const auto kept = expand(word, nothing_is_set, {.keep_quotes = true, .skip_unset = true}).text;
  out.name = plain[0];
  out.expand = count_quotes(out.name) == count_quotes(kept);
  return out;
}

std::vector<HeredocWord> heredoc_words(std::string_view line) {
  std::vector<std::string> words;
  try {
    words = expand_words(line, nothing_is_set, {.keep_quotes = true, .raw_escapes = true, .skip_unset = true});
  } catch (const Error&) {
    return {};
  }
  std::vector<HeredocWord> out;
  for (const auto& word : words) {
    if (auto heredoc = parse_heredoc_word(word)) out.push_back(*std::move(heredoc));
  }
  return out;
}

std::string strip_leading_tabs(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool line_start = true;
  for (const char c : text) {
    if (line_start && c == '\t') continue;
    out += c;
    line_start = c == '\n';
  }
  return out;
}

Heredoc make_heredoc(const HeredocWord& word, std::string body) {
  auto content = word.strip_tabs ? strip_leading_tabs(body) : body;
  return {word.name, word.fd, std::move(content), std::move(body), word.expand};
}

}  // namespace mbuild::frontend::dockerfile
