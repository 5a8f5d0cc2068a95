#include "cli/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "cli/display/report.h"
#include "cli/display/report_call.h"
#include "cli/display/terminal.h"
#include "executor/describe.h"

namespace mbuild::cli {
namespace {

const std::vector<std::string>& known_calls() {
  static const std::vector<std::string> k_calls = {"build", "check", "outline", "targets", "subrequests.describe"};
  return k_calls;
}

void set_field(Call& call, const std::string& text, const std::string& key, const std::string& value) {
  if (key == "format" && (value == "json" || value == "text")) {
    call.json = value == "json";
  } else if (key == "format") {
    throw usage_error(fmt::format("unsupported format \"{}\" of --call", value))
        .with_advice("Formats are text and json.");
  } else if (key == "ignorestatus" && (value == "true" || value == "1" || value == "false" || value == "0")) {
    call.ignores_status = value == "true" || value == "1";
  } else {
    throw usage_error("invalid print field: " + text).with_advice("Fields are format=json and ignorestatus=true.");
  }
}

void say_what_is_left_out(const std::vector<std::string>& sources) {
  if (sources.empty()) return;
  say("--offline: not looked up, nor checked what depends on it: {}\n", join(sources, ", "));
}

}  // namespace

Call parse_call(const std::string& text) {
  Call call;
  bool named = false;
  for (const auto& field : split_csv(text)) {
    const auto equals = field.find('=');
    if (equals != std::string::npos) {
      set_field(call, field, field.substr(0, equals), field.substr(equals + 1));
    } else if (std::exchange(named, true)) {
      throw usage_error("invalid print value: " + text).with_advice("--call takes one name.");
    } else {
      call.name = field == "lint" ? "check" : field.empty() ? "build" : field;
    }
  }
  if (std::ranges::find(known_calls(), call.name) == known_calls().end())
    throw usage_error(fmt::format("unsupported call \"{}\"{}", call.name, did_you_mean(call.name, known_calls())))
        .with_advice("Calls are " + join(known_calls(), ", ") + ".");
  return call;
}

int answer_call(const Call& call, const executor::BuildRequest& request, std::stop_token stop) {
  int status = 0;
  if (call.name == "check") {
    const auto result = executor::run_check(request, stop);
    say_what_is_left_out(result.left_out);
    status = print_check(result, call.json);
  } else if (call.name == "outline") {
    const auto described = executor::run_outline(request, stop);
    say_what_is_left_out(described.left_out);
    print_outline(described, call.json);
  } else if (call.name == "targets") {
    print_targets(executor::run_targets(request, stop), call.json);
  } else {
    print_subrequests(call.json);
  }
  return call.ignores_status ? 0 : status;
}

}  // namespace mbuild::cli
