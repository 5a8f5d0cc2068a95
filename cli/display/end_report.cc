#include "cli/display/end_report.h"

#include <fmt/format.h>

#include <exception>

#include "base/strings.h"
#include "cli/display/display_options.h"
#include "cli/display/progress_json.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {
namespace {

bool is_for_people(ProgressMode mode) { return mode != ProgressMode::quiet && mode != ProgressMode::json; }

bool has_annotations(ProgressMode mode) { return is_for_people(mode) && log_reader() == DisplayOptions::Log::github; }

// Of the Dockerfile, as it is found from the current directory.
std::string dockerfile_path(const executor::TargetRequest& request) {
  return request.dockerfile.empty() ? join_path(request.context, "Dockerfile") : clean_path(request.dockerfile);
}

std::string escaped(std::string_view text, bool is_property) {
  std::string out;
  for (const char c : text) {
    const bool special = c == '%' || c == '\r' || c == '\n' || (is_property && (c == ':' || c == ','));
    out += special ? fmt::format("%{:02X}", static_cast<unsigned>(c)) : std::string(1, c);
  }
  return out;
}

// With the place where it can be only one target's.
void annotate(const Ended& build, const Error& error) {
  const auto place = frontend::dockerfile::place_of_excerpt(error.excerpt);
  const bool placed = place && build.targets.size() == 1;
  say("{}\n", annotation("error", placed ? dockerfile_path(build.targets[0].request) : "", placed ? place->line : 0,
                         error.what()));
}

}  // namespace

std::string annotation(std::string_view kind, std::string_view file, int line, std::string_view message) {
  const auto place = line == 0 ? "" : fmt::format(" file={},line={}", escaped(file, true), line);
  return fmt::format("::{}{}::{}", kind, place, escaped(message, false));
}

std::string shown_dockerfile(const executor::TargetRequest& request) {
  return request.dockerfile.empty() || request.dockerfile == "-" ? "Dockerfile" : base_name(request.dockerfile);
}

void EndReport::warn(const Ended& build) const {
  for (const auto& [request, result] : build.targets) {
    if (mode == ProgressMode::json) {
      print_json_warnings(result.warnings);
      continue;
    }
    print_warnings(result.warnings, shown_dockerfile(request));
    if (!has_annotations(mode)) continue;
    for (const auto& warning : result.warnings) {
      say("{}\n", annotation("warning", dockerfile_path(request), warning.range.first, warning.message));
    }
  }
}

void EndReport::succeeded(const Ended& build) const {
  warn(build);
  if (is_for_people(mode)) say("{}", success_text(build));
}

void EndReport::failed(const Ended& build, const Error& error) const {
  try {
    if (mode == ProgressMode::json) {
      print_json_error(error);
    } else {
      print_error(error);
    }
    if (is_for_people(mode)) say("{}", failure_text(build, error));
    if (has_annotations(mode)) annotate(build, error);
    warn(build);
  } catch (const std::exception&) {
  }
}

}  // namespace mbuild::cli
