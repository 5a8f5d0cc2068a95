#include "cli/display/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {

namespace {

constexpr std::size_t k_longest_message = std::size_t{16} << 10;  // a registry's document may be all of it

}  // namespace

void print_error(const Error& error) {
  const std::string message = clip_text(error.what(), k_longest_message);
  if (!error.excerpt.empty()) say("{}{}", error.excerpt, error.excerpt.ends_with('\n') ? "" : "\n");
  say("ERROR: {}\n", join(split(message, '\n'), "\n       "));
  if (!error.advice.empty()) say("       {}\n", clip_text(error.advice, k_longest_message));
}

void print_warnings(std::span<const frontend::dockerfile::Warning> warnings, const std::string& dockerfile) {
  if (warnings.empty()) return;
  say("\n {} warning{} found:\n", warnings.size(), warnings.size() == 1 ? "" : "s");
  for (const auto& warning : warnings) {
    const auto place = warning.range.first == 0 ? "" : fmt::format(" ({}:{})", dockerfile, warning.range.first);
    say(" - {}{}{}{}\n", warning.rule, warning.rule.empty() ? "" : ": ", clip_text(warning.message, k_longest_message),
        place);
  }
}

void print_explanations(const executor::BuildResult& result) {
  const auto count = [](std::size_t steps) { return fmt::format("{} step{}", steps, steps == 1 ? "" : "s"); };
  if (result.explanations.empty() && result.steps_cached == 0) return;
  if (result.explanations.empty()) {
    say("\n No step ran: {} from the cache.\n", count(result.steps_cached));
    return;
  }
  say("\n Why {} ran ({} from the cache):\n", count(result.explanations.size()), count(result.steps_cached));
  for (const auto& step : result.explanations) {
    say(" - {}\n     {}\n", step.name, join(step.reasons, "; "));
  }
}

namespace {

void print_check_text(const executor::CheckResult& result) {
  if (result.warnings.empty() && !result.error) {
    print("Check complete, no warnings found.\n");
    return;
  }
  print("Check complete, {} warning{} {} been found!\n", result.warnings.size(), result.warnings.size() == 1 ? "" : "s",
        result.warnings.size() == 1 ? "has" : "have");
  frontend::dockerfile::Dockerfile shown;
  shown.name = result.dockerfile_name;
  for (std::size_t start = 0; start <= result.dockerfile_text.size();) {
    const auto end = std::min(result.dockerfile_text.find('\n', start), result.dockerfile_text.size());
    shown.lines.push_back(result.dockerfile_text.substr(start, end - start));
    start = end + 1;
  }
  for (const auto& warning : result.warnings) {
    print("\nWARNING: {}{}{}\n{}\n", warning.rule, warning.url.empty() ? "" : " - ", warning.url, warning.message);
    if (warning.range.first > 0) print("\n{}", frontend::dockerfile::excerpt(shown, warning.range));
  }
  if (result.error) print("\nERROR: {}\n", *result.error);
}

// A range a line, as buildx has it.
nlohmann::ordered_json location_json(frontend::dockerfile::Range range) {
  nlohmann::ordered_json location = {{"sourceIndex", 0}, {"ranges", nlohmann::ordered_json::array()}};
  if (range.first <= 0) return location;
  for (int line = range.first; line <= range.last; ++line) {
    location["ranges"].push_back({{"start", {{"line", line}}}, {"end", {{"line", line}}}});
  }
  return location;
}

std::string check_json(const executor::CheckResult& result) {
  nlohmann::ordered_json json;
  json["warnings"] = nlohmann::ordered_json::array();
  for (const auto& warning : result.warnings) {
    json["warnings"].push_back({{"ruleName", warning.rule},
                                {"description", warning.description},
                                {"url", warning.url},
                                {"detail", warning.message},
                                {"location", location_json(warning.range)}});
  }
  json["sources"] = {
      {{"filename", result.dockerfile_name}, {"language", "Dockerfile"}, {"data", result.dockerfile_text}}};
  if (result.error) {
    json["buildError"] = {{"message", *result.error}};
    if (result.error_line > 0) json["buildError"]["location"] = location_json({result.error_line, result.error_line});
  }
  return json_text(json);
}

}  // namespace

int print_check(const executor::CheckResult& result, bool json) {
  if (json) {
    print("{}\n", check_json(result));
  } else {
    print_check_text(result);
  }
  return result.warnings.empty() && !result.error ? 0 : 1;
}

}  // namespace mbuild::cli
