#include "cli/progress_plain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/usage_table.h"

namespace mbuild::cli {
namespace {

constexpr std::chrono::seconds k_between_parts{5};

double seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// The bytes of the escape sequence (ECMA-48) that `text` starts with; all of them when it does not end.
std::size_t escape_length(std::string_view text) {
  const auto is_in = [&](std::size_t i, char first, char last) {
    return i < text.size() && text[i] >= first && text[i] <= last;
  };
  if (text.size() < 2) return text.size();
  std::size_t end = 1;
  if (std::string_view("]PX^_").find(text[1]) != std::string_view::npos) {  // a string, up to BEL or ESC and backslash
    const auto bell = std::min(text.find('\a'), text.size()), escape = std::min(text.find("\x1b\\", 2), text.size());
    return std::min({bell + 1, escape + 2, text.size()});
  }
  if (text[1] == '[') {
    for (end = 2; is_in(end, '0', '?');) ++end;
  }
  while (is_in(end, ' ', '/')) ++end;
  return is_in(end, '0', '~') ? end + 1 : end;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    std::size_t length = 1;
    if (c == '\x1b') {
      length = escape_length(text);
      if (text.substr(0, 2) == "\x1b[" && text[length - 1] == 'm') out += text.substr(0, length);
    } else if (c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7f')) {
      out += c;
    }
    text.remove_prefix(length);
  }
  return out;
}

PlainProgress::Vertex& PlainProgress::vertex_of(executor::VertexId id) {
  Vertex& vertex = vertices_[id];
  if (vertex.number == 0) vertex.number = static_cast<int>(vertices_.size());
  return vertex;
}

// When the output turns to another vertex, its name is said again, so that a reader of a log knows where he is.
void PlainProgress::head(Vertex& vertex) {
  if (last_shown_ == vertex.number && vertex.announced) return;
  fmt::print(stderr, "{}#{} {}\n", last_shown_ == 0 ? "" : "\n", vertex.number, vertex.name);
  vertex.announced = true;
  last_shown_ = vertex.number;
}

void PlainProgress::vertex(const executor::VertexEvent& event) {
  const std::lock_guard lock(mutex_);
  Vertex& vertex = vertex_of(event.id);
  vertex.name = event.name;
  switch (event.state) {
    case executor::VertexState::started:
      vertex.started = event.time;
      head(vertex);
      for (const auto& need : event.needs) fmt::print(stderr, "#{} also {}\n", vertex.number, need);
      break;
    case executor::VertexState::cached:
      head(vertex);
      fmt::print(stderr, "#{} CACHED\n", vertex.number);
      break;
    case executor::VertexState::completed:
      flush_partial(vertex, event.time);
      head(vertex);
      fmt::print(stderr, "#{} DONE {:.1f}s\n", vertex.number, seconds(event.time - vertex.started));
      break;
    case executor::VertexState::failed:
      flush_partial(vertex, event.time);
      head(vertex);
      fmt::print(stderr, "#{} ERROR: {}\n", vertex.number, event.error);
      break;
    case executor::VertexState::cancelled:
      flush_partial(vertex, event.time);
      head(vertex);
      fmt::print(stderr, "#{} CANCELED\n", vertex.number);
      break;
  }
}

void PlainProgress::log(const executor::LogEvent& event) {
  const std::lock_guard lock(mutex_);
  Vertex& vertex = vertex_of(event.id);
  head(vertex);
  std::string text = std::move(vertex.partial[event.stream]);
  text += event.data;
  std::size_t start = 0;
  for (std::size_t end; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    line(vertex, event.time, std::string_view(text).substr(start, end - start));
  }
  vertex.partial[event.stream] = text.substr(start);
}

void PlainProgress::line(const Vertex& vertex, std::chrono::steady_clock::time_point time, std::string_view text) {
  while (text.ends_with('\r')) text.remove_suffix(1);
  if (const auto back = text.rfind('\r'); back != std::string_view::npos) text.remove_prefix(back + 1);
  fmt::print(stderr, "#{} {:.3f} {}\n", vertex.number, seconds(time - vertex.started), printable(text));
}

void PlainProgress::flush_partial(Vertex& vertex, std::chrono::steady_clock::time_point time) {
  for (auto& text : vertex.partial) {
    if (!text.empty()) {
      head(vertex);
      line(vertex, time, std::exchange(text, {}));
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
  fmt::print(stderr, "#{} {} {:.1f}s{}\n", vertex.number, part_text(event), seconds(event.time - vertex.started),
             event.done ? " done" : "");
}

std::string part_text(const executor::StatusEvent& event) {
  if (event.total == 0 || event.done) return fmt::format("{} {}", event.part, size_text(event.current));
  return fmt::format("{} {} / {}", event.part, size_text(event.current), size_text(event.total));
}

}  // namespace mbuild::cli
