#include "history/trace.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mbuild::history {
namespace {

using Json = nlohmann::ordered_json;
using executor::VertexState;

double microseconds(Time time) { return static_cast<double>(time) / 1e3; }

// The first row that is free at a time, which is taken until another.
std::size_t take_row(std::vector<Time>& busy_until, Time from, Time until) {
  auto row = std::ranges::find_if(busy_until, [&](Time end) { return end <= from; });
  if (row == busy_until.end()) row = busy_until.insert(row, 0);
  *row = until;
  return static_cast<std::size_t>(row - busy_until.begin());
}

Json event_of(const Step& step, Time end, std::size_t row) {
  Json arguments = {{"step", step.id}};
  if (!step.platform.empty()) arguments["platform"] = step.platform;
  if (step.emulated) arguments["emulated"] = true;
  if (step.line > 0) arguments["line"] = step.line;
  if (!step.error.empty()) arguments["error"] = step.error;
  const char* kind = !step.planned ? "phase" : step.emulated ? "emulated step" : "step";
  Json event = {{"name", step.name}, {"cat", kind}, {"pid", 1}, {"tid", row + 1}, {"ts", microseconds(step.started)}};
  if (step.state == VertexState::cached) {
    arguments["cached"] = true;
    event["ph"] = "i";
    event["s"] = "t";
  } else {
    event["ph"] = "X";
    event["dur"] = microseconds(end - step.started);
  }
  event["args"] = std::move(arguments);
  return event;
}

Json name_event(const char* what, std::size_t row, const std::string& name) {
  return {{"name", what}, {"ph", "M"}, {"pid", 1}, {"tid", row}, {"args", {{"name", name}}}};
}

Time last_time(const Record& record) {
  Time last = record.end ? record.end->time : 0;
  for (const auto& step : record.steps) last = std::max({last, step.started, step.ended});
  return last;
}

}  // namespace

std::string chrome_trace(const Record& record) {
  const Time last = last_time(record);
  auto steps = record.steps;
  std::ranges::stable_sort(steps, {}, &Step::started);
  Json events = Json::array({name_event("process_name", 0, "mbuild " + title_of(record))});
  std::vector<Time> busy_until;
  for (const auto& step : steps) {
    const Time end = step.state == VertexState::started ? last : step.ended;
    events.push_back(event_of(step, end, take_row(busy_until, step.started, end)));
  }
  for (std::size_t row = 1; row <= busy_until.size(); ++row)
    events.push_back(name_event("thread_name", row, "row " + std::to_string(row)));
  const Json trace = {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
  return trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mbuild::history
