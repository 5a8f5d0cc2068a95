#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>
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

constexpr std::uint64_t k_limit = std::uint64_t{1} << 63;  // of the nanoseconds, and of the digits

std::string_view take_digits(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  const auto out = text.substr(0, end);
  text.remove_prefix(end);
  return out;
}

std::string_view take_unit(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && !is_digit(text[end]) && text[end] != '.') ++end;
  const auto out = text.substr(0, end);
  text.remove_prefix(end);
  return out;
}

// None for more than k_limit.
std::optional<std::uint64_t> whole_number(std::string_view digits) {
  std::uint64_t out = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (!digits.empty() && code != std::errc()) return std::nullopt;
  return out > k_limit ? std::nullopt : std::optional(out);
}

// What the digits behind a point are of `unit`, cut to nanoseconds.
std::uint64_t fraction_of(std::string_view digits, std::int64_t unit) {
  constexpr std::size_t k_precise = 18;  // digits; what is behind them is less than any unit shows
  digits = digits.substr(0, k_precise);
  double scale = 1;
  for (std::size_t i = 0; i < digits.size(); ++i) scale *= 10;
  const auto number = static_cast<double>(whole_number(digits).value_or(0));
  return static_cast<std::uint64_t>(number * (static_cast<double>(unit) / scale));
}

// Nanoseconds of the "1.5s" that `rest` begins with, which is cut off; none for what is no number or too large.
// Throws Error (usage) for its unit.
std::optional<std::uint64_t> take_part(std::string_view& rest, std::string_view whole_text) {
  const auto digits = take_digits(rest);
  std::string_view fraction;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    fraction = take_digits(rest);
  }
  const auto number = whole_number(digits);
  if (!number || (digits.empty() && fraction.empty())) return std::nullopt;
  const auto unit = take_unit(rest);
  if (unit.empty()) throw usage_error(fmt::format("missing unit in duration {}", quote(whole_text)));
  const auto length = unit_length(unit);
  if (length == 0) throw usage_error(fmt::format("unknown unit {} in duration {}", quote(unit), quote(whole_text)));
  if (*number > k_limit / static_cast<std::uint64_t>(length)) return std::nullopt;
  return *number * static_cast<std::uint64_t>(length) + fraction_of(fraction, length);
}

}  // namespace

std::int64_t parse_duration(std::string_view text) {
  const auto invalid = [&] { return usage_error(fmt::format("invalid duration {}", quote(text))); };
  auto rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return 0;
  if (rest.empty()) throw invalid();
  std::uint64_t total = 0;
  while (!rest.empty()) {
    const auto part = take_part(rest, text);
    if (!part || *part > k_limit - total) throw invalid();
    total += *part;
  }
  if (negative) return static_cast<std::int64_t>(-total);
  if (total == k_limit) throw invalid();
  return static_cast<std::int64_t>(total);
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
