#include <fmt/format.h>

#include "bake/hcl/functions/table.h"
#include "bake/hcl/functions/time_text.h"
#include "base/clock.h"

namespace mbuild::bake::hcl {

namespace {

// The end of the year 9999, beyond which years have no four digits.
constexpr std::int64_t k_last_second = 253'402'300'799;
constexpr std::int64_t k_first_second = -62'167'219'200;

Timestamp time_argument(Arguments arguments, std::size_t i) {
  const auto time = parse_time(as_string(arguments[i]));
  if (!time) {
    throw CallError("a point in time as 2006-01-02T15:04:05Z is required", i);
  }
  return *time;
}

Timestamp unix_argument(Arguments arguments, std::size_t i) {
  Timestamp time;
  time.seconds = whole_argument(arguments, i);
  if (time.seconds < k_first_second || time.seconds > k_last_second) {
    throw CallError("the time is not within the years 0 to 9999", i);
  }
  return time;
}

Value formatdate(Arguments arguments) {
  return text_value(format_time(as_string(arguments[0]), time_argument(arguments, 1)));
}

Value formattimestamp(Arguments arguments) {
  const Kind kind = arguments[1].type.kind;
  if (kind != Kind::string && kind != Kind::number) {
    throw CallError("a string or a number of seconds since 1970 is required", 1);
  }
  const Timestamp time = kind == Kind::string ? time_argument(arguments, 1) : unix_argument(arguments, 1);
  const std::string& format = as_string(arguments[0]);
  return text_value(format == "X" ? fmt::format("{}", time.seconds) : format_time(format, time));
}

Value timeadd(Arguments arguments) {
  const Timestamp time = time_argument(arguments, 0);
  const auto duration = parse_duration(as_string(arguments[1]));
  if (!duration) {
    throw CallError("a duration as 1h30m is required (units: h, m, s, ms, us, ns)", 1);
  }
  return string_value(time_text(after(time, *duration)));
}

Value timestamp(Arguments) { return string_value(time_text({unix_seconds()})); }

Value unixtimestampparse(Arguments arguments) {
  const Timestamp time = unix_argument(arguments, 0);
  const CalendarTime c = calendar_of(time);
  return object_value({{"year", number_value(c.year)},
                       {"year_day", number_value(c.year_day)},
                       {"day", number_value(c.day)},
                       {"month", number_value(c.month)},
                       {"month_name", text_value(month_name(c.month))},
                       {"weekday", number_value(c.weekday)},
                       {"weekday_name", text_value(weekday_name(c.weekday))},
                       {"hour", number_value(c.hour)},
                       {"minute", number_value(c.minute)},
                       {"second", number_value(c.second)},
                       {"rfc3339", string_value(time_text(time))},
                       {"iso_year", number_value(c.iso_year)},
                       {"iso_week", number_value(c.iso_week)}});
}

}  // namespace

void add_dates(Table& table) {
  define(table, "formatdate", {text("format"), text("time")}, formatdate);
  define(table, "formattimestamp", {text("format"), any("time")}, formattimestamp);
  define(table, "timeadd", {text("timestamp"), text("duration")}, timeadd);
  define(table, "timestamp", {}, timestamp);
  define(table, "unixtimestampparse", {number("unix_timestamp")}, unixtimestampparse);
}

}  // namespace mbuild::bake::hcl
