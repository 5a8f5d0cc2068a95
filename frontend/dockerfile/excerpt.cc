#include <fmt/format.h>

#include <algorithm>

#include "frontend/dockerfile/syntax.h"

namespace mbuild::frontend::dockerfile {
namespace {

// Lines of context are added in rounds, one before and one after; a marked range of several lines gets one round, a
// single line two.
Range with_context(Range range, int line_count) {
  const int wanted = range.first == range.last ? 4 : 2;
  for (int added = 0; added < wanted; ++added) {
    if (range.first > 1) {
      --range.first;
      ++added;
    }
    if (range.last < line_count) {
      ++range.last;
      ++added;
    }
  }
  return range;
}

}  // namespace

std::string excerpt(const Dockerfile& dockerfile, Range range) {
  const int line_count = static_cast<int>(dockerfile.lines.size());
  if (range.first < 1 || range.first > line_count) return "";
  range.last = std::clamp(range.last, range.first, line_count);
  const auto shown = with_context(range, line_count);
  auto out = fmt::format("{}:{}\n--------------------\n", dockerfile.name, range.first);
  for (int number = shown.first; number <= shown.last; ++number) {
    const bool marked = number >= range.first && number <= range.last;
    const auto& line = dockerfile.lines[static_cast<std::size_t>(number - 1)];
    out += fmt::format(" {:3d} | {} {}\n", number, marked ? ">>>" : "   ", line);
  }
  return out + "--------------------\n";
}

}  // namespace mbuild::frontend::dockerfile
