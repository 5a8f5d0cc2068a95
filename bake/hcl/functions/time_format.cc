#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "bake/hcl/functions.h"
#include "bake/hcl/functions/time_text.h"

namespace mbuild::bake::hcl {

namespace {

// The text between single quotes at the beginning, of which two together are one; takes it.
std::string take_quotation(std::string_view& format) {
  std::string text;
  format.remove_prefix(1);
  while (true) {
    const std::size_t quote = format.find('\'');
    if (quote == std::string_view::npos) {
      throw CallError("a quote in the format is not closed", 0);
    }
    text += format.substr(0, quote);
    format.remove_prefix(quote + 1);
    if (!format.starts_with('\'')) {
      return text;
    }
    text += '\'';
    format.remove_prefix(1);
  }
}

int twelve_hours(int hour) { return hour % 12 == 0 ? 12 : hour % 12; }

std::string format_zone(std::size_t size, int zone_minutes) {
  switch (size) {
    case 1:
      return zone_minutes == 0 ? "Z" : zone_text(zone_minutes, true);
    case 3:
      return zone_minutes == 0 ? "UTC" : zone_text(zone_minutes, false);
    case 4:
      return zone_text(zone_minutes, false);
    case 5:
      return zone_text(zone_minutes, true);
    default:
      return "";
  }
}

std::string two_digits(std::size_t size, int number) {
  return size == 1 ? fmt::format("{}", number) : size == 2 ? fmt::format("{:02}", number) : "";
}

std::string format_year(std::size_t size, int year) {
  return size == 2 ? fmt::format("{:02}", year % 100) : size == 4 ? fmt::format("{:04}", year) : "";
}

// "" for a sequence of letters that means nothing.
std::string format_sequence(char letter, std::size_t size, const CalendarTime& time, int zone_minutes) {
  switch (letter) {
    case 'Y':
      return format_year(size, time.year);
    case 'M':
      return size < 3    ? two_digits(size, time.month)
             : size == 3 ? std::string(month_name(time.month).substr(0, 3))
             : size == 4 ? std::string(month_name(time.month))
                         : "";
    case 'D':
      return two_digits(size, time.day);
    case 'E':
      return size == 3   ? std::string(weekday_name(time.weekday).substr(0, 3))
             : size == 4 ? std::string(weekday_name(time.weekday))
                         : "";
    case 'h':
      return two_digits(size, time.hour);
    case 'H':
      return two_digits(size, twelve_hours(time.hour));
    case 'A':
      return size == 2 ? (time.hour < 12 ? "AM" : "PM") : "";
    case 'a':
      return size == 2 ? (time.hour < 12 ? "am" : "pm") : "";
    case 'm':
      return two_digits(size, time.minute);
    case 's':
      return two_digits(size, time.second);
    case 'Z':
      return format_zone(size, zone_minutes);
    default:
      return "";
  }
}

}  // namespace

std::string format_time(std::string_view format, const Timestamp& time) {
  const CalendarTime calendar = calendar_of(time);
  std::string result;
  while (!format.empty()) {
    const char first = format[0];
    if (format.starts_with("''")) {
      result += first;
      format.remove_prefix(2);
    } else if (first == '\'') {
      result += take_quotation(format);
    } else if (std::isalpha(static_cast<unsigned char>(first))) {
      const std::size_t size = std::min(format.find_first_not_of(first), format.size());
      const std::string text = format_sequence(first, size, calendar, time.zone_minutes);
      if (text.empty()) {
        throw CallError(fmt::format("\"{}\" is no part of a date; letters as they are stand in single quotes",
                                    format.substr(0, size)),
                        0);
      }
      result += text;
      format.remove_prefix(size);
    } else {
      result += first;
      format.remove_prefix(1);
    }
  }
  return result;
}

}  // namespace mbuild::bake::hcl
