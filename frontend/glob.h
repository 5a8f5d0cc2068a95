#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// One pattern of an ignore file, without its "!".
namespace mbuild::frontend {

struct GlobToken {
  enum class Kind { literal, any_char, star, everything, character_class, fork, place } kind;
  std::string text = {};                                         // literal: one character; place: A, b, B or z
  bool negated = false;                                          // character_class
  std::vector<std::pair<std::string, std::string>> ranges = {};  // character_class: first and last character
};

class Glob {
 public:
  // Throws Error (usage): syntax error in pattern.
  explicit Glob(std::string_view pattern);
  // True when the whole path matches.
  bool matches(std::string_view path) const;

 private:
  enum class Shape { exact, prefix, ending, suffix, tokens } shape_ = Shape::exact;
  std::string text_;  // of the simple shapes; suffix: the last components
  std::vector<GlobToken> tokens_;
  std::string literal_start_, literal_end_;  // what every match of the tokens starts and ends with
};

}  // namespace mbuild::frontend
