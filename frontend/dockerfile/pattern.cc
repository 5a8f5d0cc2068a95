#include "frontend/dockerfile/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/error.h"
#include "frontend/dockerfile/text.h"

// A pattern is a list of tokens and a value a list of characters, so that a suffix is a prefix of both lists reversed.
// Matching keeps the set of token positions that are possible after each character: its time is the product of the two
// lengths, whatever the number of stars. As in the regular expressions that BuildKit makes of these patterns, neither
// "*" nor "?" matches a newline; and where all matches are replaced, "$0" in the replacement stands for the match,
// other "$name" and "${name}" for nothing, and "$$" for "$".
namespace mbuild::frontend::dockerfile {
namespace {

struct Token {
  enum class Kind { literal, any_char, star } kind;
  std::string_view text;
};

using Characters = std::vector<std::string_view>;

Characters characters_of(std::string_view text) {
  Characters out;
  for (std::size_t pos = 0; pos < text.size();) {
    const auto length = char_length(text, pos);
    out.push_back(text.substr(pos, length));
    pos += length;
  }
  return out;
}

std::string text_of(const Characters& characters, std::size_t from = 0) {
  std::string out;
  for (std::size_t i = from; i < characters.size(); ++i) out += characters[i];
  return out;
}

std::vector<Token> tokens_of(std::string_view pattern) {
  std::vector<Token> out;
  const auto characters = characters_of(pattern);
  for (std::size_t i = 0; i < characters.size(); ++i) {
    auto c = characters[i];
    if (c == "*") {
      out.push_back({Token::Kind::star, c});
    } else if (c == "?") {
      out.push_back({Token::Kind::any_char, c});
    } else if (c != "\\") {
      out.push_back({Token::Kind::literal, c});
    } else {
      c = i + 1 < characters.size() ? characters[++i] : std::string_view();
      if (c != "*" && c != "?" && c != "\\" && c != "/" && c != "}") {
        throw Error(ExitClass::usage,
                    fmt::format("invalid pattern ({}) in substitution: invalid escape '\\{}'", pattern, c));
      }
      out.push_back({Token::Kind::literal, c});
    }
  }
  return out;
}

// possible[k]: the tokens before k may have matched what was read so far.
using States = std::vector<bool>;

void skip_stars(States& possible, const std::vector<Token>& tokens) {
  for (std::size_t k = 0; k < tokens.size(); ++k) {
    if (possible[k] && tokens[k].kind == Token::Kind::star) possible[k + 1] = true;
  }
}

States step(const States& possible, const std::vector<Token>& tokens, std::string_view c) {
  States next(possible.size(), false);
  for (std::size_t k = 0; k < tokens.size(); ++k) {
    if (!possible[k]) continue;
    switch (tokens[k].kind) {
      case Token::Kind::star:
        if (c != "\n") next[k] = true;
        break;
      case Token::Kind::any_char:
        if (c != "\n") next[k + 1] = true;
        break;
      case Token::Kind::literal:
        if (c == tokens[k].text) next[k + 1] = true;
        break;
    }
  }
  skip_stars(next, tokens);
  return next;
}

// Where a match that starts at `start` ends.
std::optional<std::size_t> match_at(const Characters& value, std::size_t start, const std::vector<Token>& tokens,
                                    bool longest) {
  States possible(tokens.size() + 1, false);
  possible[0] = true;
  skip_stars(possible, tokens);
  std::optional<std::size_t> end;
  for (std::size_t i = start;; ++i) {
    if (possible.back()) {
      end = i;
      if (!longest) break;
    }
    if (i == value.size() || std::ranges::find(possible, true) == possible.end()) break;
    possible = step(possible, tokens, value[i]);
  }
  return end;
}

bool is_word_char(std::string_view text, std::size_t pos) { return pos < text.size() && is_name_char(text, pos); }

// What a replacement of all matches comes to for one of them.
std::string fill_in(std::string_view replacement, std::string_view matched) {
  std::string out;
  for (std::size_t pos = 0; pos < replacement.size();) {
    if (replacement[pos] != '$') {
      out += replacement[pos++];
      continue;
    }
    const auto rest = replacement.substr(++pos);
    if (rest.starts_with('$')) {
      out += '$';
      ++pos;
      continue;
    }
    const bool braces = rest.starts_with('{');
    const std::size_t start = braces ? 1 : 0;
    std::size_t end = start;
    while (is_word_char(rest, end)) end += char_length(rest, end);
    if (end == start || (braces && !rest.substr(end).starts_with('}'))) {
      out += '$';  // no name follows: an ordinary character
      continue;
    }
    if (rest.substr(start, end - start) == "0") out += matched;
    pos += end + start;
  }
  return out;
}

}  // namespace

std::string remove_prefix(std::string_view value, std::string_view pattern, bool longest) {
  const auto characters = characters_of(value);
  return text_of(characters, match_at(characters, 0, tokens_of(pattern), longest).value_or(0));
}

std::string remove_suffix(std::string_view value, std::string_view pattern, bool longest) {
  auto characters = characters_of(value);
  auto tokens = tokens_of(pattern);
  std::ranges::reverse(characters);
  std::ranges::reverse(tokens);
  const auto end = match_at(characters, 0, tokens, longest).value_or(0);
  characters.erase(characters.begin(), characters.begin() + static_cast<std::ptrdiff_t>(end));
  std::ranges::reverse(characters);
  return text_of(characters);
}

std::string replace_matches(std::string_view value, std::string_view pattern, std::string_view replacement, bool all) {
  const auto characters = characters_of(value);
  const auto tokens = tokens_of(pattern);
  std::string out;
  bool after_match = false;  // an empty match right after another one doesn't count
  for (std::size_t i = 0; i <= characters.size();) {
    const auto end = match_at(characters, i, tokens, true);
    if (end && (*end > i || !after_match)) {
      if (!all) return out + std::string(replacement) + text_of(characters, *end);
      out += fill_in(replacement, text_of({characters.begin() + static_cast<std::ptrdiff_t>(i),
                                           characters.begin() + static_cast<std::ptrdiff_t>(*end)}));
      after_match = *end > i;
      if (after_match) {
        i = *end;
        continue;
      }
    }
    after_match = false;
    if (i < characters.size()) out += characters[i];
    ++i;
  }
  return out;
}

}  // namespace mbuild::frontend::dockerfile
