#include "cli/display/columns.h"

#include <algorithm>
#include <array>

namespace mbuild::cli {
namespace {

struct Range {
  char32_t first, last;
};

// Combining marks, joiners and selectors of variants: the blocks that text for terminals has.
constexpr std::array k_narrow = {
    Range{0x300, 0x36f},   Range{0x483, 0x489},   Range{0x591, 0x5bd},   Range{0x610, 0x61a},   Range{0x64b, 0x65f},
    Range{0x900, 0x902},   Range{0x93c, 0x93c},   Range{0x941, 0x948},   Range{0x94d, 0x94d},   Range{0xe31, 0xe31},
    Range{0xe34, 0xe3a},   Range{0xe47, 0xe4e},   Range{0x1ab0, 0x1aff}, Range{0x1dc0, 0x1dff}, Range{0x200b, 0x200d},
    Range{0x20d0, 0x20ff}, Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}, Range{0xfeff, 0xfeff}, Range{0xe0100, 0xe01ef},
};
// Wide and full-width forms of East Asia, and emoji that terminals show so.
constexpr std::array k_wide = {
    Range{0x1100, 0x115f},   Range{0x231a, 0x231b},   Range{0x23e9, 0x23ec},   Range{0x25fd, 0x25fe},
    Range{0x2614, 0x2615},   Range{0x2648, 0x2653},   Range{0x26a1, 0x26a1},   Range{0x26bd, 0x26be},
    Range{0x2705, 0x2705},   Range{0x270a, 0x270b},   Range{0x2728, 0x2728},   Range{0x274c, 0x274c},
    Range{0x2753, 0x2757},   Range{0x2b50, 0x2b55},   Range{0x2e80, 0x303e},   Range{0x3041, 0x33ff},
    Range{0x3400, 0x4dbf},   Range{0x4e00, 0x9fff},   Range{0xa000, 0xa4cf},   Range{0xa960, 0xa97f},
    Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},   Range{0xff00, 0xff60},
    Range{0xffe0, 0xffe6},   Range{0x1f300, 0x1f64f}, Range{0x1f680, 0x1f6ff}, Range{0x1f7e0, 0x1f7eb},
    Range{0x1f900, 0x1f9ff}, Range{0x1fa70, 0x1faff}, Range{0x20000, 0x3fffd},
};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t c) {
  const auto after = std::ranges::upper_bound(ranges, c, {}, &Range::first);
  return after != ranges.begin() && c <= std::prev(after)->last;
}

std::size_t width_of(char32_t c) { return is_in(k_narrow, c) ? 0 : is_in(k_wide, c) ? 2 : 1; }

// Takes the first character away.
char32_t take(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t c = length == 1 ? lead : lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < std::min(length, text.size()); ++i) {
    c = c << 6U | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  text.remove_prefix(std::min(length, text.size()));
  return c;
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) columns += width_of(take(text));
  return columns;
}

std::string fit_columns(std::string_view text, std::size_t columns) {
  std::size_t used = 0, end_with_mark = 0;
  for (auto rest = text; !rest.empty();) {
    used += width_of(take(rest));
    if (used > columns) return columns == 0 ? "" : std::string(text.substr(0, end_with_mark)) + "…";
    if (used < columns) end_with_mark = text.size() - rest.size();
  }
  return std::string(text);
}

}  // namespace mbuild::cli
