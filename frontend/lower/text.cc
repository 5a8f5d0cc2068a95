#include "frontend/lower/text.h"

#include <fmt/format.h>

#include <array>

namespace mbuild::frontend::lowering {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

// Decodes one UTF-8 sequence; over-long forms and surrogates are invalid.
CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  char32_t value = first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  constexpr std::array<char32_t, 5> k_least = {0, 0, 0x80, 0x800, 0x10000};
  if (value < k_least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, length, true};
}

// Go's unicode.IsPrint for what is met in practice: no control, format, private or space characters but U+0020.
bool is_printable(char32_t c) {
  struct Span {
    char32_t first, last;
  };
  static constexpr Span k_unprintable[] = {{0x0000, 0x001F},   {0x007F, 0x00A0}, {0x00AD, 0x00AD}, {0x1680, 0x1680},
                                           {0x2000, 0x200F},   {0x2028, 0x202F}, {0x205F, 0x206F}, {0x3000, 0x3000},
                                           {0xE000, 0xF8FF},   {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xFFFE, 0xFFFF},
                                           {0xE0000, 0x10FFFF}};
  for (const Span& span : k_unprintable) {
    if (c >= span.first && c <= span.last) return false;
  }
  return true;
}

std::string_view short_escape(char32_t c) {
  switch (c) {
    case '\a':
      return "\\a";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\v':
      return "\\v";
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    default:
      return {};
  }
}

std::string escape(char32_t c) {
  const auto value = static_cast<std::uint32_t>(c);
  if (value < 0x80) return fmt::format("\\x{:02x}", value);
  if (value < 0x10000) return fmt::format("\\u{:04x}", value);
  return fmt::format("\\U{:08x}", value);
}

// A decimal fraction without trailing zeros: whole and fraction of `unit` nanoseconds.
std::string decimal(std::uint64_t nanoseconds, std::uint64_t unit) {
  std::string text = fmt::format("{}", nanoseconds / unit);
  std::uint64_t rest = nanoseconds % unit;
  if (rest == 0) return text;
  text += '.';
  for (std::uint64_t place = unit / 10; rest != 0; place /= 10) {
    text += static_cast<char>('0' + rest / place);
    rest %= place;
  }
  return text;
}

}  // namespace

std::string go_quote(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const CodePoint point = decode(text);
    if (!point.valid) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    } else if (const std::string_view known = short_escape(point.value); !known.empty()) {
      quoted += known;
    } else if (is_printable(point.value)) {
      quoted += text.substr(0, point.bytes);
    } else {
      quoted += escape(point.value);
    }
    text.remove_prefix(point.bytes);
  }
  return quoted + "\"";
}

std::string go_quoted_list(const std::vector<std::string>& words) {
  std::string text = "[";
  for (const std::string& word : words) {
    if (text.size() > 1) text += ' ';
    text += go_quote(word);
  }
  return text + "]";
}

std::string go_list(const std::vector<std::string>& words) { return fmt::format("[{}]", fmt::join(words, " ")); }

std::string go_duration(std::int64_t nanoseconds) {
  if (nanoseconds == 0) return "0s";
  if (nanoseconds < 0) return "-" + go_duration(-nanoseconds);
  constexpr std::uint64_t k_second = 1'000'000'000, k_minute = 60 * k_second, k_hour = 60 * k_minute;
  auto rest = static_cast<std::uint64_t>(nanoseconds);
  if (rest < 1'000) return fmt::format("{}ns", rest);
  if (rest < 1'000'000) return decimal(rest, 1'000) + "µs";
  if (rest < k_second) return decimal(rest, 1'000'000) + "ms";
  std::string text;
  if (rest >= k_hour) text += fmt::format("{}h", rest / k_hour);
  if (rest >= k_minute) text += fmt::format("{}m", rest % k_hour / k_minute);
  return text + decimal(rest % k_minute, k_second) + "s";
}

std::string go_health_check(const HealthCheck& check) {
  return fmt::format("{{Test:{} Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
                     go_list(check.test), go_duration(check.interval_ns), go_duration(check.timeout_ns),
                     go_duration(check.start_period_ns), go_duration(check.start_interval_ns), check.retries);
}

}  // namespace mbuild::frontend::lowering
