#include "cli/display/display_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/strings.h"

namespace mbuild::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<unsigned> number_in(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

// In ECMA-48, without what leads in and ends.
std::string colour_code(const std::string& text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 17> k_names = {{{"black", "30"},
                                                                                      {"red", "31"},
                                                                                      {"green", "32"},
                                                                                      {"yellow", "33"},
                                                                                      {"blue", "34"},
                                                                                      {"magenta", "35"},
                                                                                      {"cyan", "36"},
                                                                                      {"white", "37"},
                                                                                      {"default", "39"},
                                                                                      {"light-black", "90"},
                                                                                      {"light-red", "91"},
                                                                                      {"light-green", "92"},
                                                                                      {"light-yellow", "93"},
                                                                                      {"light-blue", "94"},
                                                                                      {"light-magenta", "95"},
                                                                                      {"light-cyan", "96"},
                                                                                      {"light-white", "97"}}};
  const auto* found = std::ranges::find(k_names, to_lower(text), &decltype(k_names)::value_type::first);
  if (found != k_names.end()) return std::string(found->second);
  const auto parts = split(text, ',');
  if (parts.size() != 3 ||
      !std::ranges::all_of(parts, [](const auto& part) { return number_in(part, 255).has_value(); }))
    return "";
  return "38;2;" + join(parts, ";");
}

// The variable's value, where it is a number.
std::optional<unsigned> number_variable(const char* name, unsigned most) {
  const auto text = variable(name);
  if (text.empty()) return std::nullopt;
  const auto value = number_in(text, most);
  if (!value) say("WARNING: {}={} is not a number up to {}; it is left out.\n", name, text, most);
  return value;
}

}  // namespace

DisplayOptions::Log log_reader() {
  if (variable("GITHUB_ACTIONS") == "true") return DisplayOptions::Log::github;
  return variable("GITLAB_CI").empty() ? DisplayOptions::Log::plain : DisplayOptions::Log::gitlab;
}

Palette parse_palette(const std::string& text, std::string& unknown) {
  Palette palette;
  for (const auto& entry : split(text, ':')) {
    if (entry.empty()) continue;
    const auto equals = entry.find('=');
    const auto key = to_lower(entry.substr(0, equals));
    const auto code = equals == std::string::npos ? "" : colour_code(entry.substr(equals + 1));
    if (code.empty()) {
      unknown = entry;
    } else if (key == "run") {
      palette.finished = code;
    } else if (key == "cancel") {
      palette.cancelled = code;
    } else if (key == "error") {
      palette.failed = code;
    } else if (key == "warning") {
      palette.warning = code;
    } else {
      unknown = entry;
    }
  }
  return palette;
}

DisplayOptions display_options() {
  constexpr unsigned k_most_lines = 1000, k_slowest = 60'000;
  constexpr std::size_t k_short_name = 72;
  DisplayOptions options;
  if (std::getenv("NO_COLOR") != nullptr) {
    options.palette = Palette::none();
  } else if (const auto colours = variable("BUILDKIT_COLORS"); !colours.empty()) {
    std::string unknown;
    options.palette = parse_palette(colours, unknown);
    if (!unknown.empty()) say("WARNING: BUILDKIT_COLORS: \"{}\" is not understood, and left out.\n", unknown);
  }
  if (const auto lines = number_variable("BUILDKIT_TTY_LOG_LINES", k_most_lines)) options.log_lines = *lines;
  if (const auto rate = number_variable("TTY_DISPLAY_RATE", k_slowest); rate && *rate > 0) {
    options.frame = std::chrono::milliseconds(*rate);
  }
  if (variable("PROGRESS_NO_TRUNC") == "0") options.longest_name = k_short_name;
  options.log = log_reader();
  return options;
}

bool is_lively_terminal() {
  if (::isatty(STDERR_FILENO) != 1 || variable("TERM") == "dumb" || std::getenv("NO_COLOR") != nullptr) return false;
  const auto ci = to_lower(variable("CI"));
  return ci.empty() || ci == "false" || ci == "0";
}

}  // namespace mbuild::cli
