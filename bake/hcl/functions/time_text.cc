#include "bake/hcl/functions/time_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace mbuild::bake::hcl {

namespace {

namespace chrono = std::chrono;

constexpr std::int64_t k_nanoseconds = 1'000'000'000;
constexpr std::array<std::string_view, 12> k_months{"January",   "February", "March",    "April",
                                                    "May",       "June",     "July",     "August",
                                                    "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> k_weekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                     "Thursday", "Friday", "Saturday"};

// A number of exactly `size` digits, then `after` (if it is no 0); takes them.
std::optional<int> take_digits(std::string_view& text, std::size_t size, char after) {
  int number = 0;
  const std::string_view digits = text.substr(0, size);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool good = digits.size() == size && error == std::errc{} && end == digits.data() + size && number >= 0;
  if (!good || digits[0] == '-' || (after && !text.substr(size).starts_with(after))) {
    return std::nullopt;
  }
  text.remove_prefix(size + (after ? 1 : 0));
  return number;
}

std::int64_t take_fraction(std::string_view& text) {
  if (!text.starts_with('.') && !text.starts_with(',')) {
    return 0;
  }
  std::int64_t result = 0;
  std::int64_t unit = k_nanoseconds;
  std::size_t i = 1;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    unit /= 10;
    result += unit * (text[i] - '0');
  }
  text.remove_prefix(i > 1 ? i : 0);
  return result;
}

std::optional<int> take_zone(std::string_view text) {
  if (text == "Z") {
    return 0;
  }
  if (!text.starts_with('+') && !text.starts_with('-')) {
    return std::nullopt;
  }
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2, ':');
  const auto minutes = hours ? take_digits(text, 2, '\0') : std::nullopt;
  const bool good = minutes && text.empty() && *hours < 25 && *minutes < 60;
  return good ? std::optional(sign * (*hours * 60 + *minutes)) : std::nullopt;
}

// The week belongs to the year that its Thursday is in.
void set_week(CalendarTime& time, chrono::sys_days day, chrono::weekday weekday) {
  const chrono::sys_days thursday = day + chrono::days(4 - static_cast<int>(weekday.iso_encoding()));
  const chrono::year_month_day date(thursday);
  const chrono::sys_days first = date.year() / chrono::January / 1;
  time.iso_year = static_cast<int>(date.year());
  time.iso_week = static_cast<int>((thursday - first).count()) / 7 + 1;
}

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr std::array<Unit, 8> k_units{{{"ns", 1},
                                       {"us", 1'000},
                                       {"\xC2\xB5s", 1'000},
                                       {"\xCE\xBCs", 1'000},
                                       {"ms", 1'000'000},
                                       {"s", k_nanoseconds},
                                       {"m", 60 * k_nanoseconds},
                                       {"h", 3600 * k_nanoseconds}}};

const Unit* take_unit(std::string_view& text) {
  const std::size_t size = std::min(text.find_first_of("0123456789."), text.size());
  for (const Unit& unit : k_units) {
    if (unit.name == text.substr(0, size)) {
      text.remove_prefix(size);
      return &unit;
    }
  }
  return nullptr;
}

// "1.5h", taken, in nanoseconds.
std::optional<std::int64_t> take_part(std::string_view& text) {
  const std::size_t size = std::min(text.find_first_not_of("0123456789"), text.size());
  std::int64_t whole = 0;
  if (size > 0 && std::from_chars(text.data(), text.data() + size, whole).ec != std::errc{}) {
    return std::nullopt;
  }
  text.remove_prefix(size);
  const std::size_t before = text.size();
  const std::int64_t fraction = take_fraction(text);
  const Unit* unit = size == 0 && text.size() == before ? nullptr : take_unit(text);
  std::int64_t result = 0;
  if (!unit || __builtin_mul_overflow(whole, unit->nanoseconds, &result)) {
    return std::nullopt;
  }
  const auto part = static_cast<std::int64_t>(static_cast<__int128>(fraction) * unit->nanoseconds / k_nanoseconds);
  return __builtin_add_overflow(result, part, &result) ? std::nullopt : std::optional(result);
}

}  // namespace

std::string_view month_name(int month) { return k_months[static_cast<std::size_t>(month - 1)]; }

std::string_view weekday_name(int weekday) { return k_weekdays[static_cast<std::size_t>(weekday)]; }

CalendarTime calendar_of(const Timestamp& time) {
  const chrono::sys_seconds local(chrono::seconds(time.seconds + time.zone_minutes * 60));
  const auto day = chrono::floor<chrono::days>(local);
  const chrono::year_month_day date(day);
  const chrono::weekday weekday(day);
  const chrono::sys_days first = date.year() / chrono::January / 1;
  const auto seconds = static_cast<int>((local - day).count());
  CalendarTime result;
  result.year = static_cast<int>(date.year());
  result.month = static_cast<int>(static_cast<unsigned>(date.month()));
  result.day = static_cast<int>(static_cast<unsigned>(date.day()));
  result.weekday = static_cast<int>(weekday.c_encoding());
  result.year_day = static_cast<int>((day - first).count()) + 1;
  result.hour = seconds / 3600;
  result.minute = seconds / 60 % 60;
  result.second = seconds % 60;
  set_week(result, day, weekday);
  return result;
}

std::optional<Timestamp> parse_time(std::string_view text) {
  const auto year = take_digits(text, 4, '-');
  const auto month = year ? take_digits(text, 2, '-') : std::nullopt;
  const auto day = month ? take_digits(text, 2, 'T') : std::nullopt;
  const auto hour = day ? take_digits(text, 2, ':') : std::nullopt;
  const auto minute = hour ? take_digits(text, 2, ':') : std::nullopt;
  const auto second = minute ? take_digits(text, 2, '\0') : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  Timestamp time;
  time.nanoseconds = take_fraction(text);
  const auto zone = take_zone(text);
  const chrono::year_month_day date{chrono::year(*year), chrono::month(static_cast<unsigned>(*month)),
                                    chrono::day(static_cast<unsigned>(*day))};
  if (!zone || !date.ok()) {
    return std::nullopt;
  }
  time.zone_minutes = *zone;
  const std::int64_t days = chrono::sys_days(date).time_since_epoch().count();
  time.seconds = days * 86400 + *hour * 3600 + *minute * 60 + *second - *zone * 60;
  return time;
}

std::string zone_text(int zone_minutes, bool colon) {
  const int size = zone_minutes < 0 ? -zone_minutes : zone_minutes;
  return fmt::format("{}{:02}{}{:02}", zone_minutes < 0 ? '-' : '+', size / 60, colon ? ":" : "", size % 60);
}

std::string time_text(const Timestamp& time) {
  const CalendarTime c = calendar_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}", c.year, c.month, c.day, c.hour, c.minute, c.second,
                     time.zone_minutes == 0 ? "Z" : zone_text(time.zone_minutes, true));
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  if (text == "0") {
    return 0;
  }
  std::int64_t sum = 0;
  do {
    const auto part = take_part(text);
    if (!part || __builtin_add_overflow(sum, *part, &sum)) {
      return std::nullopt;
    }
  } while (!text.empty());
  return negative ? -sum : sum;
}

Timestamp after(const Timestamp& time, std::int64_t nanoseconds) {
  Timestamp result = time;
  result.nanoseconds += nanoseconds % k_nanoseconds;
  result.seconds += nanoseconds / k_nanoseconds;
  if (result.nanoseconds < 0 || result.nanoseconds >= k_nanoseconds) {
    const std::int64_t carry = result.nanoseconds < 0 ? -1 : 1;
    result.seconds += carry;
    result.nanoseconds -= carry * k_nanoseconds;
  }
  return result;
}

}  // namespace mbuild::bake::hcl
