#include "frontend/glob.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "frontend/dockerfile/text.h"

// The pattern language is what moby/patternmatcher makes of Go's filepath.Match: "?" and "*" stop at slashes, "**"
// doesn't, "**/" also stands for no directory at all, a class is [x-z] or [^x-z] ("!" negates nothing) and may match a
// slash. A pattern passes through a regular expression there, so that a backslash before a letter or a digit is an
// escape of regular expressions, in classes too: \d is a digit, \t a tab, \a a bell, which no path contains, \x41 and
// \101 are "A", and \b, \B, \A and \z match places and no character. \p and \Q are refused.
//
// Most patterns are a plain name, "name/**" or "**/name" and are compared as strings ("**name" is any ending). The
// others are run as a nondeterministic automaton with one state a token: time is linear in the path, whatever the
// number of stars.
namespace mbuild::frontend {
namespace {

using dockerfile::char_length;
using Kind = GlobToken::Kind;
using Ranges = decltype(GlobToken::ranges);

Error bad_pattern(std::string_view pattern) {
  return Error(ExitClass::usage, fmt::format("syntax error in pattern: {}", dockerfile::quote(pattern)));
}

GlobToken literal(std::string_view c) { return {Kind::literal, std::string(c)}; }

constexpr std::uint32_t k_last_character = 0x10ffff;

std::string utf8_character(std::uint32_t code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xc0 | (code >> 6)), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xe0 | (code >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | (code >> 18)), tail(12), tail(6), tail(0)};
}

// All characters but those of the ranges, which are of ASCII and in order.
Ranges complement(const Ranges& ranges) {
  Ranges out;
  std::string first(1, '\0');
  for (const auto& range : ranges) {
    if (first < range.first) out.emplace_back(first, std::string(1, static_cast<char>(range.first[0] - 1)));
    first = static_cast<char>(range.second[0] + 1);
  }
  out.emplace_back(first, utf8_character(k_last_character));
  return out;
}

// What \d, \w, \s and their opposites match.
std::optional<Ranges> perl_class(std::string_view letter) {
  if (letter == "d") return Ranges{{"0", "9"}};
  if (letter == "w") return Ranges{{"0", "9"}, {"A", "Z"}, {"_", "_"}, {"a", "z"}};
  if (letter == "s") return Ranges{{"\t", "\n"}, {"\f", "\r"}, {" ", " "}};
  if (letter == "D" || letter == "W" || letter == "S") return complement(*perl_class(to_lower(letter)));
  return std::nullopt;
}

class Compiler {
 public:
  explicit Compiler(std::string_view pattern) : pattern_(pattern) {}

  std::vector<GlobToken> compile() {
    while (!at_end()) take_token();
    return std::move(out_);
  }

 private:
  bool at_end() const { return pos_ >= pattern_.size(); }
  bool at(char c) const { return !at_end() && pattern_[pos_] == c; }
  std::string_view take_char() {
    if (at_end()) throw bad_pattern(pattern_);
    const auto length = char_length(pattern_, pos_);
    return pattern_.substr(std::exchange(pos_, pos_ + length), length);
  }

  void take_token();
  void take_double_star();
  void take_escape();
  std::uint32_t take_number(int base, std::size_t at_least, std::size_t digits);
  std::string take_hexadecimal();
  std::string take_escaped_character();
  void take_class();
  std::string take_class_end();

  std::string_view pattern_;
  std::size_t pos_ = 0;
  std::vector<GlobToken> out_;
};

void Compiler::take_token() {
  const auto c = take_char();
  if (c == "*" && at('*')) {
    ++pos_;
    take_double_star();
  } else if (c == "*") {
    out_.push_back({Kind::star});
  } else if (c == "?") {
    out_.push_back({Kind::any_char});
  } else if (c == "[") {
    take_class();
  } else if (c == "\\") {
    take_escape();
  } else {
    out_.push_back(literal(c));
  }
}

// At the end everything, else any directories or none.
void Compiler::take_double_star() {
  if (at('/')) ++pos_;
  if (!at_end()) out_.push_back({Kind::fork});
  out_.push_back({Kind::everything});
  if (!at_end()) out_.push_back(literal("/"));
}

// The number that the next `digits` hexadecimal or octal digits say; with `at_least` of them.
std::uint32_t Compiler::take_number(int base, std::size_t at_least, std::size_t digits) {
  std::uint32_t value = 0;
  const auto text = pattern_.substr(pos_, digits);
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  const auto used = static_cast<std::size_t>(end - text.data());
  if (code != std::errc() || used < at_least) throw bad_pattern(pattern_);
  pos_ += used;
  return value;
}

std::string Compiler::take_hexadecimal() {
  if (!at('{')) return utf8_character(take_number(16, 2, 2));
  ++pos_;
  const auto value = take_number(16, 1, 8);
  if (!at('}') || value > k_last_character) throw bad_pattern(pattern_);
  ++pos_;
  return utf8_character(value);
}

// What stands behind the backslash, as a character.
std::string Compiler::take_escaped_character() {
  static constexpr std::string_view k_letters = "aftnrv";
  static constexpr std::string_view k_controls = "\a\f\t\n\r\v";
  const auto c = take_char();
  if (c == "x") return take_hexadecimal();
  if (const auto index = k_letters.find(c); index != std::string_view::npos) {
    return std::string(k_controls.substr(index, 1));
  }
  const bool octal = c[0] >= '0' && c[0] <= '7';
  if (octal && (c == "0" || (!at_end() && pattern_[pos_] >= '0' && pattern_[pos_] <= '7'))) {
    --pos_;
    return utf8_character(take_number(8, 1, 3));
  }
  if (c.size() > 1 || (c != "_" && dockerfile::is_name_char(c, 0))) throw bad_pattern(pattern_);
  return std::string(c);
}

void Compiler::take_escape() {
  const auto letter = pattern_.substr(pos_, 1);
  if (auto ranges = perl_class(letter)) {
    ++pos_;
    out_.push_back({Kind::character_class, "", false, *std::move(ranges)});
  } else if (!letter.empty() && std::string_view("AbBz").find(letter) != std::string_view::npos) {
    ++pos_;
    out_.push_back({Kind::place, std::string(letter)});
  } else {
    out_.push_back(literal(take_escaped_character()));
  }
}

std::string Compiler::take_class_end() {
  if (at('-') || at(']')) throw bad_pattern(pattern_);
  const auto c = take_char();
  return c == "\\" ? take_escaped_character() : std::string(c);
}

void Compiler::take_class() {
  GlobToken token{Kind::character_class};
  token.negated = at('^');
  if (token.negated) ++pos_;
  while (token.ranges.empty() || !at(']')) {
    if (auto ranges = at('\\') ? perl_class(pattern_.substr(pos_ + 1, 1)) : std::nullopt) {
      pos_ += 2;
      token.ranges.insert(token.ranges.end(), ranges->begin(), ranges->end());
      continue;
    }
    auto first = take_class_end();
    auto last = first;
    if (at('-')) {
      ++pos_;
      last = take_class_end();
      if (last < first) throw bad_pattern(pattern_);
    }
    token.ranges.emplace_back(std::move(first), std::move(last));
  }
  ++pos_;
  out_.push_back(std::move(token));
}

// UTF-8 compares like code points.
bool in_class(const GlobToken& token, std::string_view c) {
  return std::ranges::any_of(token.ranges, [&](const auto& range) { return range.first <= c && c <= range.second; }) !=
         token.negated;
}

// Which tokens may come next; [size] is the end of the pattern.
using States = std::vector<std::uint8_t>;

// A place between two characters of a path.
struct Place {
  std::string_view path;
  std::size_t pos;

  bool is_word_at(std::size_t i) const {
    return i < path.size() && (path[i] == '_' || std::isalnum(static_cast<unsigned char>(path[i])) != 0);
  }
  bool is(char letter) const {
    if (letter == 'A') return pos == 0;
    if (letter == 'z') return pos == path.size();
    const bool boundary = (pos > 0 && is_word_at(pos - 1)) != is_word_at(pos);
    return boundary == (letter == 'b');
  }
};

void follow_empty_moves(States& states, const std::vector<GlobToken>& tokens, const Place& place) {
  for (std::size_t k = 0; k < tokens.size(); ++k) {
    if (states[k] == 0) continue;
    const auto kind = tokens[k].kind;
    if (kind == Kind::place && place.is(tokens[k].text[0])) states[k + 1] = 1;
    if (kind == Kind::star || kind == Kind::everything || kind == Kind::fork) states[k + 1] = 1;
    if (kind == Kind::fork) states[k + 3] = 1;  // over the "everything" and the slash
  }
}

// Moves `from` on by a character into `to`, which is for the place behind it; false when nothing is left.
bool step(const States& from, States& to, const std::vector<GlobToken>& tokens, std::string_view c,
          const Place& behind) {
  std::ranges::fill(to, 0);
  bool alive = false;
  for (std::size_t k = 0; k < tokens.size(); ++k) {
    if (from[k] == 0) continue;
    const auto& token = tokens[k];
    std::optional<std::size_t> next;
    switch (token.kind) {
      case Kind::literal:
        if (c == token.text) next = k + 1;
        break;
      case Kind::any_char:
        if (c != "/") next = k + 1;
        break;
      case Kind::star:
        if (c != "/") next = k;
        break;
      case Kind::everything:
        next = k;
        break;
      case Kind::character_class:
        if (in_class(token, c)) next = k + 1;
        break;
      case Kind::fork:
      case Kind::place:
        break;
    }
    if (!next) continue;
    to[*next] = 1;
    alive = true;
  }
  follow_empty_moves(to, tokens, behind);
  return alive;
}

bool run(const std::vector<GlobToken>& tokens, std::string_view path) {
  States states(tokens.size() + 1, 0), next(tokens.size() + 1, 0);
  states[0] = 1;
  follow_empty_moves(states, tokens, {path, 0});
  for (std::size_t pos = 0; pos < path.size();) {
    const auto length = char_length(path, pos);
    if (!step(states, next, tokens, path.substr(pos, length), {path, pos + length})) return false;
    std::swap(states, next);
    pos += length;
  }
  return states.back() != 0;
}

bool all_literal(const std::vector<GlobToken>& tokens, std::size_t from, std::size_t to) {
  return std::all_of(tokens.begin() + static_cast<std::ptrdiff_t>(from),
                     tokens.begin() + static_cast<std::ptrdiff_t>(to),
                     [](const GlobToken& token) { return token.kind == Kind::literal; });
}

std::string text_between(const std::vector<GlobToken>& tokens, std::size_t from, std::size_t to) {
  std::string out;
  for (; from < to; ++from) out += tokens[from].text;
  return out;
}

}  // namespace

Glob::Glob(std::string_view pattern) : tokens_(Compiler(pattern).compile()) {
  const auto size = tokens_.size();
  const bool leading_fork = size > 3 && tokens_[0].kind == Kind::fork;
  if (all_literal(tokens_, 0, size)) {
    text_ = text_between(tokens_, 0, size);
  } else if (tokens_.back().kind == Kind::everything && all_literal(tokens_, 0, size - 1)) {
    shape_ = Shape::prefix;
    text_ = text_between(tokens_, 0, size - 1);
  } else if (leading_fork && all_literal(tokens_, 3, size)) {
    shape_ = pattern.starts_with("**/") ? Shape::suffix : Shape::ending;
    text_ = text_between(tokens_, 3, size);
  } else {
    shape_ = Shape::tokens;
    std::size_t start = 0, end = size;
    while (start < size && tokens_[start].kind == Kind::literal) ++start;
    while (end > 0 && tokens_[end - 1].kind == Kind::literal) --end;
    // The slash that a fork may jump over is no literal of its own.
    if (end > 1 && tokens_[end - 1].kind == Kind::everything && tokens_[end - 2].kind == Kind::fork) ++end;
    literal_start_ = text_between(tokens_, 0, start);
    literal_end_ = text_between(tokens_, end, size);
  }
}

bool Glob::matches(std::string_view path) const {
  switch (shape_) {
    case Shape::exact:
      return path == text_;
    case Shape::prefix:
      return path.starts_with(text_);
    case Shape::ending:
      return path.ends_with(text_);
    case Shape::suffix:
      return path.ends_with(text_) && (path.size() == text_.size() || path[path.size() - text_.size() - 1] == '/');
    case Shape::tokens:
      return path.starts_with(literal_start_) && path.ends_with(literal_end_) && run(tokens_, path);
  }
  return false;
}

}  // namespace mbuild::frontend
