#include "frontend/glob.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/error.h"
#include "frontend/dockerfile/text.h"

// The pattern language is what moby/patternmatcher makes of Go's filepath.Match: "?" and "*" stop at slashes, "**"
// doesn't, "**/" also stands for no directory at all, a class is [x-z] or [^x-z] ("!" negates nothing) and may match a
// slash. A pattern passes through a regular expression there, so that a backslash before a letter is an escape of
// regular expressions: \d is a digit, \t a tab, and \a a bell, which no path contains.
//
// Most patterns are a plain name, "name/**" or "**/name" and are compared as strings ("**name" is any ending). The
// others are run as a nondeterministic automaton with one state a token: time is linear in the path, whatever the
// number of stars.
namespace mbuild::frontend {
namespace {

using dockerfile::char_length;
using Kind = GlobToken::Kind;

Error bad_pattern(std::string_view pattern) {
  return Error(ExitClass::usage, fmt::format("syntax error in pattern: {}", dockerfile::quote(pattern)));
}

GlobToken literal(std::string_view c) { return {Kind::literal, std::string(c)}; }

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

void Compiler::take_escape() {
  const auto c = take_char();
  const auto character_class = [&](std::vector<std::pair<std::string, std::string>> ranges) {
    const bool negated = c[0] >= 'A' && c[0] <= 'Z';
    out_.push_back({Kind::character_class, "", negated, std::move(ranges)});
  };
  if (c == "d" || c == "D") return character_class({{"0", "9"}});
  if (c == "w" || c == "W") return character_class({{"0", "9"}, {"A", "Z"}, {"_", "_"}, {"a", "z"}});
  if (c == "s" || c == "S") return character_class({{"\t", "\n"}, {"\f", "\r"}, {" ", " "}});
  static constexpr std::string_view k_letters = "aftnrv";
  static constexpr std::string_view k_controls = "\a\f\t\n\r\v";
  const auto index = k_letters.find(c);
  if (index != std::string_view::npos) {
    out_.push_back(literal(k_controls.substr(index, 1)));
  } else if (c.size() == 1 && c != "_" && dockerfile::is_name_char(c, 0)) {
    throw bad_pattern(pattern_);
  } else {
    out_.push_back(literal(c));
  }
}

std::string Compiler::take_class_end() {
  if (at('-') || at(']')) throw bad_pattern(pattern_);
  auto c = take_char();
  if (c == "\\") c = take_char();
  return std::string(c);
}

void Compiler::take_class() {
  GlobToken token{Kind::character_class};
  token.negated = at('^');
  if (token.negated) ++pos_;
  while (token.ranges.empty() || !at(']')) {
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

void follow_empty_moves(States& states, const std::vector<GlobToken>& tokens) {
  for (std::size_t k = 0; k < tokens.size(); ++k) {
    if (states[k] == 0) continue;
    const auto kind = tokens[k].kind;
    if (kind == Kind::star || kind == Kind::everything || kind == Kind::fork) states[k + 1] = 1;
    if (kind == Kind::fork) states[k + 3] = 1;  // over the "everything" and the slash
  }
}

// Moves `from` on by a character into `to`; false when nothing is left.
bool step(const States& from, States& to, const std::vector<GlobToken>& tokens, std::string_view c) {
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
        break;
    }
    if (!next) continue;
    to[*next] = 1;
    alive = true;
  }
  follow_empty_moves(to, tokens);
  return alive;
}

bool run(const std::vector<GlobToken>& tokens, std::string_view path) {
  States states(tokens.size() + 1, 0), next(tokens.size() + 1, 0);
  states[0] = 1;
  follow_empty_moves(states, tokens);
  for (std::size_t pos = 0; pos < path.size();) {
    const auto length = char_length(path, pos);
    if (!step(states, next, tokens, path.substr(pos, length))) return false;
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
