#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/strings.h"
#include "frontend/dockerfile/duration.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/text.h"

// HEALTHCHECK and its durations, which are those of Go: "1h30m", "1.5s", "100ms".
namespace mbuild::frontend::dockerfile {
namespace {

constexpr std::int64_t k_millisecond = 1'000'000;

// Nanoseconds of a unit; 0 for an unknown one.
std::int64_t unit_length(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us" || unit == "\xc2\xb5s" || unit == "\xce\xbcs") return 1'000;
  if (unit == "ms") return k_millisecond;
  if (unit == "s") return 1'000'000'000;
  if (unit == "m") return 60'000'000'000;
  if (unit == "h") return 3'600'000'000'000;
  return 0;
}

std::string_view take_while(std::string_view& text, bool (*wanted)(char)) {
  std::size_t end = 0;
  while (end < text.size() && wanted(text[end])) ++end;
  const auto out = text.substr(0, end);
  text.remove_prefix(end);
  return out;
}

}  // namespace

std::int64_t parse_duration(std::string_view text) {
  const auto invalid = [&] { return usage_error(fmt::format("invalid duration {}", quote(text))); };
  auto rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return 0;
  if (rest.empty()) throw invalid();
  long double total = 0;
  while (!rest.empty()) {
    const auto number = take_while(rest, [](char c) { return is_digit(c) || c == '.'; });
    long double value = 0;
    const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (code != std::errc() || end != number.data() + number.size()) throw invalid();
    const auto unit = take_while(rest, [](char c) { return !is_digit(c) && c != '.'; });
    if (unit.empty()) throw usage_error(fmt::format("missing unit in duration {}", quote(text)));
    const auto length = unit_length(unit);
    if (length == 0) throw usage_error(fmt::format("unknown unit {} in duration {}", quote(unit), quote(text)));
    total += value * static_cast<long double>(length);
  }
  if (total >= static_cast<long double>(std::numeric_limits<std::int64_t>::max())) throw invalid();
  const auto nanoseconds = static_cast<std::int64_t>(total);
  return negative ? -nanoseconds : nanoseconds;
}

namespace {

std::int64_t interval(const FlagValues& flags, std::string_view name) {
  const auto text = flags.text(name);
  if (text.empty()) return 0;
  const auto value = parse_duration(text);
  if (value != 0 && value < k_millisecond) {
    throw usage_error(fmt::format("Interval {} cannot be less than 1ms", quote(name)));
  }
  return value;
}

std::int64_t retries(const FlagValues& flags) {
  const auto text = flags.text("retries");
  if (text.empty()) return 0;
  const std::string_view digits = std::string_view(text).substr(text[0] == '+' ? 1 : 0);
  std::int32_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code == std::errc::result_out_of_range) {
    throw usage_error(fmt::format("--retries: parsing {}: value out of range", quote(text)));
  }
  if (code != std::errc() || end != digits.data() + digits.size()) {
    throw usage_error(fmt::format("--retries: parsing {}: invalid syntax", quote(text)));
  }
  if (value < 0) throw usage_error(fmt::format("--retries cannot be negative ({})", value));
  return value;
}

}  // namespace

HealthCheckInstruction make_health_check(const Arguments& arguments) {
  HealthCheckInstruction out;
  const auto& words = arguments.words;
  if (words.empty()) throw usage_error("HEALTHCHECK requires at least one argument");
  const auto type = to_upper(words[0]);
  if (type == "NONE") {
    if (words.size() > 1) throw usage_error("HEALTHCHECK NONE takes no arguments");
    out.none = true;
    return out;
  }
  const auto flags = parse_flags(arguments.flags, arguments.info->flags);
  if (type != "CMD") throw usage_error(fmt::format("Unknown type {} in HEALTHCHECK (try CMD)", quote(type)));
  if (words.size() == 1) throw usage_error("Missing command after HEALTHCHECK CMD");
  out.command = make_command(arguments, 1);
  out.interval_ns = interval(flags, "interval");
  out.timeout_ns = interval(flags, "timeout");
  out.start_period_ns = interval(flags, "start-period");
  out.start_interval_ns = interval(flags, "start-interval");
  out.retries = retries(flags);
  return out;
}

}  // namespace mbuild::frontend::dockerfile
