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
// lengths, whatever the number of stars. Where all matches are replaced, a walk from the end first finds where one can
// begin at all, so that no place is tried in vain and the product still holds for all of them together.
//
// As in the regular expressions that BuildKit makes of these patterns, neither "*" nor "?" matches a newline; and where
// all matches are replaced, "$0" in the replacement stands for the match, other "$name" and "${name}" for nothing, and
// "$$" for "$".
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
      const bool again = !out.empty() && out.back().kind == Token::Kind::star;
      if (!again) out.push_back({Token::Kind::star, c});
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

bool matches_one(const Token& token, std::string_view c) {
  return token.kind == Token::Kind::literal ? c == token.text : c != "\n";
}

// A byte a token position, and one for the end.
using States = std::vector<char>;

// Where matches of the tokens end, and can begin.
class Matcher {
 public:
  Matcher(const std::vector<Token>& tokens, const Characters& value)
      : tokens_(tokens), value_(value), now_(tokens.size() + 1), next_(tokens.size() + 1) {
    const auto is_star = [](const Token& token) { return token.kind == Token::Kind::star; };
    const auto stars = static_cast<std::size_t>(std::ranges::count_if(tokens, is_star));
    too_long_ = tokens.size() - stars > value.size();
  }

  // Where a match that starts at `start` ends.
  std::optional<std::size_t> match_at(std::size_t start, bool longest) {
    std::optional<std::size_t> end;
    if (too_long_) return end;
    std::ranges::fill(now_, 0);
    now_[0] = 1;
    bool alive = true;
    for (std::size_t i = start;; ++i) {
      skip_stars();
      if (now_.back() != 0) {
        end = i;
        if (!longest) break;
      }
      if (!alive || i == value_.size()) break;
      alive = step(value_[i]);
    }
    return end;
  }

  // For each place in the value, and its end: whether a match begins there.
  std::vector<bool> starts() {
    std::vector<bool> out(value_.size() + 1, false);
    if (too_long_) return out;
    // now_[k]: the tokens from k on match a prefix of the value from i on; next_: the same for i + 1.
    std::ranges::fill(next_, 0);
    for (std::size_t i = value_.size() + 1; i-- > 0;) {
      now_.back() = 1;
      for (std::size_t k = tokens_.size(); k-- > 0;) {
        const bool takes = i < value_.size() && matches_one(tokens_[k], value_[i]);
        const bool is_star = tokens_[k].kind == Token::Kind::star;
        now_[k] = is_star ? now_[k + 1] != 0 || (takes && next_[k] != 0) : takes && next_[k + 1] != 0;
      }
      out[i] = now_[0] != 0;
      std::swap(now_, next_);
    }
    return out;
  }

 private:
  void skip_stars() {
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      if (now_[k] != 0 && tokens_[k].kind == Token::Kind::star) now_[k + 1] = 1;
    }
  }

  // False when nothing is possible any more.
  bool step(std::string_view c) {
    std::ranges::fill(next_, 0);
    bool alive = false;
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      if (now_[k] == 0 || !matches_one(tokens_[k], c)) continue;
      next_[tokens_[k].kind == Token::Kind::star ? k : k + 1] = 1;
      alive = true;
    }
    std::swap(now_, next_);
    return alive;
  }

  const std::vector<Token>& tokens_;
  const Characters& value_;
  States now_, next_;  // now_[k]: the tokens before k may have matched what was read so far
  bool too_long_;      // for any match
};

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
  const auto tokens = tokens_of(pattern);
  return text_of(characters, Matcher(tokens, characters).match_at(0, longest).value_or(0));
}

std::string remove_suffix(std::string_view value, std::string_view pattern, bool longest) {
  auto characters = characters_of(value);
  auto tokens = tokens_of(pattern);
  std::ranges::reverse(characters);
  std::ranges::reverse(tokens);
  const auto end = Matcher(tokens, characters).match_at(0, longest).value_or(0);
  characters.erase(characters.begin(), characters.begin() + static_cast<std::ptrdiff_t>(end));
  std::ranges::reverse(characters);
  return text_of(characters);
}

std::string replace_matches(std::string_view value, std::string_view pattern, std::string_view replacement, bool all) {
  const auto characters = characters_of(value);
  const auto tokens = tokens_of(pattern);
  Matcher matcher(tokens, characters);
  const auto starts = matcher.starts();
  std::string out;
  bool after_match = false;  // an empty match right after another one doesn't count
  for (std::size_t i = 0; i <= characters.size();) {
    const auto end = starts[i] ? matcher.match_at(i, true) : std::nullopt;
    if (end && (*end > i || !after_match)) {
      if (!all) return out + std::string(replacement) + text_of(characters, *end);
      out += fill_in(replacement, text_of({characters.begin() + static_cast<std::ptrdiff_t>(i),
                                           characters.begin() + static_cast<std::ptrdiff_t>(*end)}));
      check_expanded_length(out.size());
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
