#include "base/clean_text.h"

#include <algorithm>
#include <cstddef>

namespace mbuild {
namespace {

constexpr std::string_view k_replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::size_t k_longest_sequence = 4096;            // what is longer hides text: then only its ESC goes

bool is_plain(char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\t'; }

// The end of a string that BEL or ESC and backslash end, on the same line.
std::size_t string_length(std::string_view text) {
  const auto part = text.substr(0, k_longest_sequence);
  for (std::size_t i = 2; i < part.size() && part[i] != '\n'; ++i) {
    if (part[i] == '\a') return i + 1;
    if (part[i] == '\x1b') return i + 1 < part.size() && part[i + 1] == '\\' ? i + 2 : 1;
  }
  return 1;
}

// The bytes of the escape sequence that `text` starts with; what is begun only goes as far as it looks like one.
std::size_t escape_length(std::string_view text) {
  const auto is_in = [&](std::size_t i, char first, char last) {
    return i < text.size() && text[i] >= first && text[i] <= last;
  };
  if (text.size() < 2) return 1;
  std::size_t end = 1;
  if (std::string_view("]PX^_").find(text[1]) != std::string_view::npos) return string_length(text);
  if (text[1] == '[') {
    for (end = 2; is_in(end, '0', '?');) ++end;
  }
  while (is_in(end, ' ', '/')) ++end;
  return is_in(end, '0', '~') ? end + 1 : end;
}

struct Character {
  char32_t code = 0;
  std::size_t length = 0;  // 0: the bytes are no UTF-8
};

Character decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : byte(0) >= 0xc2 ? 2 : 0;
  if (length == 0 || length > text.size() || byte(0) > 0xf4) return {};
  char32_t code = byte(0) & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  const char32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  const bool valid = code >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return valid ? Character{code, length} : Character{};
}

bool is_harmful(char32_t code) {
  const auto is_in = [code](char32_t first, char32_t last) { return code >= first && code <= last; };
  return is_in(0x80, 0x9f) || code == 0x61c || is_in(0x200e, 0x200f) || is_in(0x2028, 0x202e) ||
         is_in(0x2066, 0x2069) || is_in(0xfff9, 0xfffb) || is_in(0xe0000, 0xe007f);
}

// The bytes at the start of `text` that belong together; what is to be seen of them is appended.
std::size_t take(std::string_view text, std::string& out) {
  const char c = text.front();
  if (c == '\x1b') return escape_length(text);
  if (static_cast<unsigned char>(c) < 0x80) {
    if (is_plain(c)) out += c;
    return 1;
  }
  const auto [code, length] = decode(text);
  out += length == 0 || is_harmful(code) ? k_replacement : text.substr(0, length);
  return std::max<std::size_t>(length, 1);
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto plain = std::find_if_not(text.begin(), text.end(), is_plain);
    const auto length = static_cast<std::size_t>(plain - text.begin());
    out += text.substr(0, length);
    text.remove_prefix(length);
    if (!text.empty()) text.remove_prefix(take(text, out));
  }
  return out;
}

std::string clean_line(std::string_view text) {
  std::string out = clean_text(text);
  std::replace_if(out.begin(), out.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return out;
}

}  // namespace mbuild
