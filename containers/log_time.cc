#include "containers/log_time.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "frontend/dockerfile/duration.h"

namespace mbuild::containers {
namespace {

using std::chrono::nanoseconds;

// So many digits at the beginning, and no less.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  int out = 0;
  const char* end = text.data() + std::min(count, text.size());
  const auto parsed = std::from_chars(text.data(), end, out);
  if (text.size() < count || parsed.ec != std::errc() || parsed.ptr != end || text.front() == '-') return std::nullopt;
  text.remove_prefix(count);
  return out;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// ".5" is half a second. What is smaller than a nanosecond is dropped.
nanoseconds take_fraction(std::string_view& text) {
  std::int64_t out = 0, unit = 100'000'000;
  if (!take(text, '.') && !take(text, ',')) return nanoseconds(0);
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), unit /= 10) {
    out += (text.front() - '0') * unit;
  }
  return nanoseconds(out);
}

std::optional<nanoseconds> parse_clock(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  nanoseconds out = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  if (!take(text, ':')) return out;
  const auto second = take_digits(text, 2);
  if (!second || *second > 60) return std::nullopt;
  return out + std::chrono::seconds(*second) + take_fraction(text);
}

std::optional<nanoseconds> parse_date(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  nanoseconds out = std::chrono::sys_days(date).time_since_epoch();
  if (take(text, 'T') || take(text, ' ')) {
    const auto clock = parse_clock(text);
    if (!clock) return std::nullopt;
    out += *clock;
  }
  if (text.empty() || text == "Z") return out;
  const bool is_east = text.front() == '+';
  if (!is_east && text.front() != '-') return std::nullopt;
  text.remove_prefix(1);
  const auto offset = parse_clock(text);
  if (!offset || !text.empty()) return std::nullopt;
  return is_east ? out - *offset : out + *offset;
}

std::optional<nanoseconds> parse_seconds(std::string_view text) {
  std::int64_t seconds = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr std::int64_t k_most = 9'000'000'000;  // what nanoseconds can hold
  if (parsed.ec != std::errc() || seconds < 0 || seconds > k_most) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  const auto fraction = take_fraction(text);
  return text.empty() ? std::optional<nanoseconds>(std::chrono::seconds(seconds) + fraction) : std::nullopt;
}

}  // namespace

nanoseconds parse_log_time(const std::string& flag, const std::string& text, nanoseconds now) {
  if (const auto seconds = parse_seconds(text)) return *seconds;
  if (const auto date = parse_date(text)) return *date;
  try {
    return now - nanoseconds(frontend::dockerfile::parse_duration(text));
  } catch (const Error&) {
    throw usage_error(fmt::format("invalid {} \"{}\"", flag, text))
        .with_advice("It is a time (2026-01-31T10:00:00Z), seconds since 1970, or how long ago: 90s, 10m, 1h30m.");
  }
}

}  // namespace mbuild::containers
