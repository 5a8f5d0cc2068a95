#include "cli/display/progress_json.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/digest.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "executor/api/acceleration.h"
#include "remote/url.h"

namespace mbuild::cli {
namespace {

using Json = nlohmann::ordered_json;

void emit(const char* kind, Json object) {
  Json line;
  line[kind] = Json::array({std::move(object)});
  say("{}\n", json_text(line, -1));
}

}  // namespace

JsonProgress::Vertex& JsonProgress::vertex_of(executor::VertexId id) {
  Vertex& vertex = vertices_[id];
  if (vertex.digest.empty()) vertex.digest = sha256(fmt::format("vertex {}", id));
  return vertex;
}

std::string JsonProgress::wall_time(std::chrono::steady_clock::time_point time) const {
  const auto wall = wall_start_ + std::chrono::duration_cast<std::chrono::nanoseconds>(time - start_);
  return rfc3339(std::chrono::duration_cast<std::chrono::nanoseconds>(wall.time_since_epoch()));
}

void JsonProgress::vertex(const executor::VertexEvent& event) {
  const std::lock_guard lock(mutex_);
  Vertex& vertex = vertex_of(event.id);
  const std::string time = wall_time(event.time);
  if (vertex.started.empty()) vertex.started = time;
  Json object = {{"digest", vertex.digest}, {"name", event.name}, {"started", vertex.started}};
  for (const auto input : event.inputs) object["inputs"].push_back(vertex_of(input).digest);
  if (event.state != executor::VertexState::started) object["completed"] = time;
  if (event.state == executor::VertexState::cached) object["cached"] = true;
  if (event.state == executor::VertexState::failed) object["error"] = event.error;
  if (event.state == executor::VertexState::cancelled) object["error"] = "context canceled";
  if (event.emulated && event.state != executor::VertexState::started && event.state != executor::VertexState::cached) {
    object["emulation"] = {{"platform", event.platform},
                           {"programs", event.programs},
                           {"native", event.native},
                           {"leastMillisecondsSaved", executor::least_milliseconds_saved(event.native)}};
  }
  emit("vertexes", std::move(object));
}

void JsonProgress::log(const executor::LogEvent& event) {
  const std::lock_guard lock(mutex_);
  emit("logs", {{"vertex", vertex_of(event.id).digest},
                {"stream", event.stream},
                {"data", remote::base64_encode(event.data)},
                {"timestamp", wall_time(event.time)}});
}

void JsonProgress::status(const executor::StatusEvent& event) {
  const std::lock_guard lock(mutex_);
  Vertex& vertex = vertex_of(event.id);
  const std::string time = wall_time(event.time);
  const auto& started = vertex.parts_started.try_emplace(event.part, time).first->second;
  Json object = {{"id", event.part}, {"vertex", vertex.digest}, {"name", event.part}};
  if (event.total > 0) object["total"] = event.total;
  object["current"] = event.current;
  object["timestamp"] = time;
  object["started"] = started;
  if (event.ended) object["completed"] = time;
  emit("statuses", std::move(object));
}

void print_json_warnings(std::span<const frontend::dockerfile::Warning> warnings) {
  for (const auto& warning : warnings) {
    const auto text = warning.rule.empty() ? warning.message : warning.rule + ": " + warning.message;
    Json object = {{"level", 1}, {"short", remote::base64_encode(text)}};
    if (!warning.description.empty()) object["detail"] = {remote::base64_encode(warning.description)};
    if (!warning.url.empty()) object["url"] = warning.url;
    if (warning.range.first > 0) {
      object["range"] = {{{"start", {{"line", warning.range.first}}}, {"end", {{"line", warning.range.last}}}}};
    }
    emit("warnings", std::move(object));
  }
}

void print_json_error(const Error& error) {
  Json object = {{"message", error.what()}, {"exitStatus", static_cast<int>(error.exit_class)}};
  if (!error.advice.empty()) object["advice"] = error.advice;
  if (!error.excerpt.empty()) object["excerpt"] = error.excerpt;
  if (const auto place = frontend::dockerfile::place_of_excerpt(error.excerpt)) {
    object["file"] = place->name;
    object["line"] = place->line;
  }
  Json line;
  line["error"] = std::move(object);
  say("{}\n", json_text(line, -1));
}

}  // namespace mbuild::cli
