#pragma once

#include <string>
#include <string_view>

namespace mbuild {

// Malformed escapes are kept as they are.
inline std::string percent_decode(std::string_view text) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && value(text[i + 1]) >= 0 && value(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(value(text[i + 1]) * 16 + value(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

}  // namespace mbuild
