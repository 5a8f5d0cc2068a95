#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Points in time as text. Inner to the room.
namespace mbuild::bake::hcl {

// Seconds since 1970 in UTC, and the zone in which it is shown.
struct Timestamp {
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  int zone_minutes = 0;
};

// A point in time by the calendar of its zone.
struct CalendarTime {
  int year = 1970;
  int month = 1;
  int day = 1;
  int weekday = 4;  // 0: Sunday
  int year_day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int iso_year = 1970;
  int iso_week = 1;
};

CalendarTime calendar_of(const Timestamp& time);
std::string_view month_name(int month);      // from 1
std::string_view weekday_name(int weekday);  // 0: Sunday

// RFC 3339, as "2026-11-28T10:00:00Z".
std::optional<Timestamp> parse_time(std::string_view text);
std::string time_text(const Timestamp& time);  // without fractions
// "+hh:mm" or "+hhmm".
std::string zone_text(int zone_minutes, bool colon);

// "1h30m", in nanoseconds; units h, m, s, ms, us, ns.
std::optional<std::int64_t> parse_duration(std::string_view text);
Timestamp after(const Timestamp& time, std::int64_t nanoseconds);

// By a format of YYYY, MM, DD, hh, mm, ss and their like. Throws CallError.
std::string format_time(std::string_view format, const Timestamp& time);

}  // namespace mbuild::bake::hcl
