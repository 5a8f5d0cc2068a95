#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "frontend/dockerfile/syntax.h"

namespace mbuild::frontend::dockerfile {
namespace {

constexpr std::string_view k_rule = "--------------------\n";

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

// Those that lie in the file, cut to its lines, in order.
std::vector<Range> clamped(std::span<const Range> ranges, int line_count) {
  std::vector<Range> out;
  for (const Range range : ranges) {
    if (range.first < 1 || range.first > line_count) continue;
    out.push_back({range.first, std::clamp(range.last, range.first, line_count)});
  }
  std::ranges::sort(out, {}, [](Range range) { return std::pair(range.first, range.last); });
  return out;
}

}  // namespace

std::string excerpt(const Dockerfile& dockerfile, std::span<const Range> ranges) {
  const int line_count = static_cast<int>(dockerfile.lines.size());
  const auto marked = clamped(ranges, line_count);
  if (marked.empty()) return "";
  auto out = fmt::format("{}:{}\n{}", dockerfile.name, marked.front().first, k_rule);
  int next = 1;  // the first line that is not shown yet
  for (const Range range : marked) {
    const auto shown = with_context(range, line_count);
    if (next > 1 && shown.first > next) out += "  ...\n";
    for (next = std::max(next, shown.first); next <= shown.last; ++next) {
      const bool is_marked =
          std::ranges::any_of(marked, [&](Range mark) { return next >= mark.first && next <= mark.last; });
      const auto& line = dockerfile.lines[static_cast<std::size_t>(next - 1)];
      out += fmt::format(" {:3d} | {} {}\n", next, is_marked ? ">>>" : "   ", line);
    }
  }
  return out.append(k_rule);
}

std::string excerpt(const Dockerfile& dockerfile, Range range) { return excerpt(dockerfile, std::span(&range, 1)); }

// Lines of the file begin with their numbers, so that none is a rule.
std::optional<ExcerptPlace> place_of_excerpt(std::string_view text) {
  if (!text.ends_with(k_rule)) return std::nullopt;
  text.remove_suffix(k_rule.size());
  const auto rule = text.rfind(fmt::format("\n{}", k_rule));
  if (rule == std::string_view::npos) return std::nullopt;
  const auto heading = text.substr(0, rule);
  const auto start = heading.rfind('\n') + 1;  // 0 where there is none
  const auto colon = heading.rfind(':');
  if (colon == std::string_view::npos || colon < start) return std::nullopt;
  ExcerptPlace place{.name = std::string(heading.substr(start, colon - start))};
  std::from_chars(heading.data() + colon + 1, heading.data() + heading.size(), place.line);
  return place;
}

}  // namespace mbuild::frontend::dockerfile
