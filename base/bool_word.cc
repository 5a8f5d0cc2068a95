#include "base/bool_word.h"

#include <algorithm>
#include <array>

namespace mbuild {

std::optional<bool> bool_word(std::string_view word) {
  static constexpr std::array<std::string_view, 6> k_true = {"1", "t", "T", "TRUE", "true", "True"};
  static constexpr std::array<std::string_view, 6> k_false = {"0", "f", "F", "FALSE", "false", "False"};
  if (std::ranges::find(k_true, word) != k_true.end()) return true;
  if (std::ranges::find(k_false, word) != k_false.end()) return false;
  return std::nullopt;
}

}  // namespace mbuild
