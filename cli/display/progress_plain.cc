#include "cli/display/progress_plain.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <iterator>
#include <utility>

#include "base/clean_text.h"
#include "base/size_text.h"
#include "base/strings.h"
#include "cli/display/columns.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {
namespace {

constexpr std::chrono::seconds k_between_parts{5};
constexpr std::size_t k_longest_line = 16 << 10;  // what is longer goes on in the next line

// A line that is cut short is cut between characters.
std::string take_line(std::string& text) {
  std::size_t end = text.size();
  if (end == k_longest_line) {
    while (end > k_longest_line - 4 && (static_cast<unsigned char>(text[end - 1]) & 0xc0U) == 0x80) --end;
    const auto lead = static_cast<unsigned char>(text[end - 1]);
    const std::size_t needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    end = text.size() - (end - 1) < needed ? end - 1 : text.size();
  }
  std::string line = text.substr(0, end);
  text.erase(0, end);
  return line;
}

double seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

PlainProgress::Vertex& PlainProgress::vertex_of(executor::VertexId id) {
  Vertex& vertex = vertices_[id];
  if (vertex.number == 0) vertex.number = static_cast<int>(vertices_.size());
  return vertex;
}

template <typename... Arguments>
void PlainProgress::add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::format_to(std::back_inserter(text_), format, std::forward<Arguments>(arguments)...);
}

// One write for all that an event has to say.
void PlainProgress::flush() {
  const std::string text = std::exchange(text_, {});
  if (!text.empty()) write_error(text);
}

// When the output turns to another vertex, its name is said again, so that a reader of a log knows where he is.
void PlainProgress::head(Vertex& vertex) {
  if (last_shown_ == vertex.number && vertex.announced) return;
  end_section();
  if (options_.log == DisplayOptions::Log::plain) {
    add("{}#{} {}\n", last_shown_ == 0 ? "" : "\n", vertex.number, vertex.name);
  } else {
    begin_section(vertex);
  }
  vertex.announced = true;
  last_shown_ = vertex.number;
}

void PlainProgress::begin_section(const Vertex& vertex) {
  const auto heading = fmt::format("#{} {}", vertex.number, vertex.name);
  section_ = fmt::format("step_{}_{}", vertex.number, ++sections_);
  if (options_.log == DisplayOptions::Log::github) return add("::group::{}\n", heading);
  flush();
  write_section(true, section_, heading, std::time(nullptr));
}

void PlainProgress::end_section() {
  if (section_.empty()) return;
  const auto name = std::exchange(section_, {});
  if (options_.log == DisplayOptions::Log::github) return add("::endgroup::\n");
  flush();
  write_section(false, name, "", std::time(nullptr));
}

PlainProgress::~PlainProgress() {
  try {
    end_section();
    flush();
  } catch (const std::exception&) {  // nobody can be told
  }
}

void PlainProgress::vertex(const executor::VertexEvent& event) {
  const std::lock_guard lock(mutex_);
  Vertex& vertex = vertex_of(event.id);
  vertex.name = clean_line(clip_text(event.name, k_longest_line));
  if (options_.longest_name > 0) vertex.name = fit_columns(vertex.name, options_.longest_name);
  switch (event.state) {
    case executor::VertexState::started:
      vertex.started = event.time;
      head(vertex);
      for (const auto& need : event.needs) add("#{} also {}\n", vertex.number, clean_line(need));
      break;
    case executor::VertexState::cached:
      head(vertex);
      add("#{} CACHED\n", vertex.number);
      break;
    case executor::VertexState::completed:
      flush_partial(vertex, event.time);
      head(vertex);
      add("#{} DONE {:.1f}s\n", vertex.number, seconds(event.time - vertex.started));
      break;
    case executor::VertexState::failed:
      flush_partial(vertex, event.time);
      head(vertex);
      add("#{} ERROR: {}\n", vertex.number, clean_line(clip_text(event.error, k_longest_line)));
      break;
    case executor::VertexState::cancelled:
      flush_partial(vertex, event.time);
      head(vertex);
      add("#{} CANCELED\n", vertex.number);
      break;
  }
  flush();
}

void PlainProgress::log(const executor::LogEvent& event) {
  const std::lock_guard lock(mutex_);
  Vertex& vertex = vertex_of(event.id);
  head(vertex);
  std::string& partial = vertex.partial[event.stream];
  for (std::string_view data = event.data; !data.empty();) {
    const auto end = data.find('\n');
    const auto room = k_longest_line - partial.size();
    const auto part = data.substr(0, std::min(end, room));
    partial += part;
    data.remove_prefix(part.size());
    if (end == part.size()) {
      data.remove_prefix(1);
    } else if (partial.size() < k_longest_line) {
      break;
    }
    line(vertex, event.time, take_line(partial));
  }
  flush();
}

void PlainProgress::line(const Vertex& vertex, std::chrono::steady_clock::time_point time, std::string_view text) {
  while (text.ends_with('\r')) text.remove_suffix(1);
  if (const auto back = text.rfind('\r'); back != std::string_view::npos) text.remove_prefix(back + 1);
  add("#{} {:.3f} {}\n", vertex.number, seconds(time - vertex.started), clean_line(text));
}

void PlainProgress::flush_partial(Vertex& vertex, std::chrono::steady_clock::time_point time) {
  for (auto& text : vertex.partial) {
    if (!text.empty()) {
      head(vertex);
      line(vertex, time, text);
      text.clear();
    }
  }
}

void PlainProgress::status(const executor::StatusEvent& event) {
  if (event.ended && !event.done) return;
  const std::lock_guard lock(mutex_);
  Vertex& vertex = vertex_of(event.id);
  const auto [shown, first] = vertex.parts.try_emplace(event.part, event.time);
  if (!first && !event.done && event.time - shown->second < k_between_parts) return;
  shown->second = event.time;
  head(vertex);
  add("#{} {} {:.1f}s{}\n", vertex.number, part_text(event), seconds(event.time - vertex.started),
      event.done ? " done" : "");
  flush();
}

std::string part_text(const executor::StatusEvent& event) {
  const std::string part = clean_line(event.part);
  if (event.total == 0 || event.done) return fmt::format("{} {}", part, size_text(event.current));
  return fmt::format("{} {} / {}", part, size_text(event.current), size_text(event.total));
}

}  // namespace mbuild::cli
