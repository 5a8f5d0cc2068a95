#include "bake/hcl/source.h"

#include <fmt/format.h>

#include <algorithm>

#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

constexpr int k_context_lines = 2;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.push_back(line);
    if (end == std::string_view::npos) {
      return lines;
    }
    text.remove_prefix(end + 1);
  }
}

// The last byte's place rather than the one after it, so that a range that ends with a line stays on it.
Position last_line_of(const Range& range) {
  return position_of(*range.source, range.end > range.begin ? range.end - 1 : range.end);
}

}  // namespace

Position position_of(const Source& source, std::size_t offset) {
  const std::string_view before = std::string_view(source.text).substr(0, offset);
  const std::size_t line_start = before.rfind('\n') + 1;  // 0 where there is none
  const auto lines = std::count(before.begin(), before.end(), '\n');
  return {static_cast<int>(lines) + 1, static_cast<int>(count_characters(before.substr(line_start))) + 1};
}

Range join(const Range& first, const Range& second) { return {first.source, first.begin, second.end}; }

std::string describe(const Range& range) {
  if (!range.source) {
    return "";
  }
  const Position begin = position_of(*range.source, range.begin);
  const Position end = position_of(*range.source, range.end);
  return begin.line == end.line
             ? fmt::format("{}:{},{}-{}", range.source->name, begin.line, begin.column, end.column)
             : fmt::format("{}:{},{}-{},{}", range.source->name, begin.line, begin.column, end.line, end.column);
}

std::string excerpt(const Range& range) {
  if (!range.source) {
    return "";
  }
  const auto lines = lines_of(range.source->text);
  const int first = position_of(*range.source, range.begin).line;
  const int last = std::max(first, last_line_of(range).line);
  std::string text = fmt::format("{}:{}\n", range.source->name, first);
  const int end = std::min(last + k_context_lines, static_cast<int>(lines.size()));
  for (int line = std::max(1, first - k_context_lines); line <= end; ++line) {
    const bool marked = line >= first && line <= last;
    text += fmt::format("{:4} | {} {}\n", line, marked ? ">>>" : "   ", lines[static_cast<std::size_t>(line - 1)]);
  }
  return text;
}

}  // namespace mbuild::bake::hcl
