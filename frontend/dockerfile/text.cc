#include "frontend/dockerfile/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.h"

namespace mbuild::frontend::dockerfile {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t pos) { return static_cast<std::uint8_t>(text[pos]); }

struct CodeRange {
  std::uint32_t first, last;
};

// Code points from U+0080 on that are no letters: the punctuation, symbol and private blocks. The rest of Unicode is
// taken for letters, which is near enough for names of variables.
constexpr std::array<CodeRange, 10> k_no_letters = {{{0x80, 0xa9},
                                                     {0xab, 0xb4},
                                                     {0xb6, 0xb9},
                                                     {0xbb, 0xbf},
                                                     {0xd7, 0xd7},
                                                     {0xf7, 0xf7},
                                                     {0x2000, 0x2bff},
                                                     {0x3000, 0x3004},
                                                     {0x3007, 0x3030},
                                                     {0xe000, 0xf8ff}}};
constexpr std::uint32_t k_first_emoji = 0x1f000, k_last_emoji = 0x1faff;

std::uint32_t code_point(std::string_view text, std::size_t pos, std::size_t length) {
  if (length == 1) return byte_at(text, pos);
  std::uint32_t value = byte_at(text, pos) & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = value << 6 | (byte_at(text, pos + i) & 0x3fU);
  return value;
}

bool is_unicode_space(std::uint32_t c) {
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

std::size_t char_length(std::string_view text, std::size_t pos) {
  const auto lead = byte_at(text, pos);
  const std::size_t length = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
  if (pos + length > text.size()) return 1;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, pos + i) & 0xc0) != 0x80) return 1;
  }
  return length;
}

std::size_t space_length(std::string_view text, std::size_t pos) {
  if (pos >= text.size()) return 0;
  if (byte_at(text, pos) < 0x80) return is_ascii_space(text[pos]) ? 1 : 0;
  const auto length = char_length(text, pos);
  return length > 1 && is_unicode_space(code_point(text, pos, length)) ? length : 0;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r'; }

bool is_name_char(std::string_view text, std::size_t pos) {
  if (pos >= text.size()) return false;
  const char c = text[pos];
  if (byte_at(text, pos) < 0x80) return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  const auto length = char_length(text, pos);
  if (length == 1) return false;
  const auto point = code_point(text, pos, length);
  if (point >= k_first_emoji && point <= k_last_emoji) return false;
  return std::ranges::none_of(k_no_letters, [&](CodeRange r) { return point >= r.first && point <= r.last; });
}

std::string_view trim_left(std::string_view text) {
  while (const auto length = space_length(text, 0)) text.remove_prefix(length);
  return text;
}

std::string_view trim_space(std::string_view text) {
  text = trim_left(text);
  while (!text.empty()) {
    std::size_t last = text.size() - 1;
    while (last > 0 && (byte_at(text, last) & 0xc0) == 0x80) --last;
    if (space_length(text, last) != text.size() - last) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

void check_expanded_length(std::size_t bytes) {
  if (bytes > std::size_t{16} * 1024 * 1024) throw Error(ExitClass::usage, "the value comes to more than 16 MiB");
}

}  // namespace mbuild::frontend::dockerfile
