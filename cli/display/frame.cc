#include "cli/display/frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/size_text.h"
#include "cli/display/columns.h"
#include "cli/display/summary.h"

namespace mbuild::cli {
namespace {

constexpr std::size_t k_bar = 20;        // columns
constexpr std::size_t k_bar_needs = 70;  // columns of the window
constexpr double k_rate_after = 0.5;     // seconds: before, a rate says nothing
constexpr std::size_t k_digest = 19;     // "sha256:" and 12 digits
constexpr std::string_view k_indent = " => => ";

std::string header(const BuildShown& build, std::size_t columns, Moment now) {
  const auto waiting = build.planned - std::min(build.planned, build.done + build.running_steps);
  const auto time = duration_text(now - build.started);
  for (const auto& text :
       {fmt::format("[+] Building {} ({}/{}): {} cached, {} running, {} waiting", time, build.done, build.planned,
                    build.cached, build.running_steps, waiting),
        fmt::format("[+] {} {}/{}, {} running", time, build.done, build.planned, build.running_steps)}) {
    if (columns_of(text) <= columns) return text;
  }
  return fit_columns(fmt::format("[+] {} {}/{}", time, build.done, build.planned), columns);
}

std::string step_row(const StepShown& step, std::size_t columns, Moment now) {
  const auto time = duration_text(now - step.started);
  return spread(" => " + step.name, step.note.empty() ? time : step.note + " " + time, columns);
}

std::vector<std::string> rows_below(const StepShown& step, std::size_t columns, std::size_t most, Moment now) {
  std::vector<std::string> rows;
  for (const auto& [id, part] : step.parts) {
    if (rows.size() == most) return rows;
    rows.push_back(part_row(part, columns, now));
  }
  const auto left = std::min(most - rows.size(), step.lines.size());
  for (auto line = step.lines.end() - static_cast<std::ptrdiff_t>(left); line != step.lines.end(); ++line) {
    rows.push_back(fit_columns(fmt::format("{}# {}", k_indent, *line), columns));
  }
  return rows;
}

}  // namespace

std::string spread(std::string_view left, std::string_view right, std::size_t columns) {
  const auto needed = columns_of(right) + 1;
  if (columns < needed + 8) return fit_columns(left, columns);
  const auto room = columns - needed;
  const auto shown = fit_columns(left, room);
  return fmt::format("{}{:{}} {}", shown, "", room - columns_of(shown), right);
}

std::string part_row(const PartShown& part, std::size_t columns, Moment now) {
  const std::string name = part.name.starts_with("sha256:") ? part.name.substr(0, k_digest) : part.name;
  std::string text = fmt::format("{}{} ", k_indent, name);
  if (part.total > 0 && columns >= k_bar_needs) {
    const auto filled = std::min<std::uint64_t>(k_bar, part.current * k_bar / part.total);
    text += fmt::format("[{:=<{}}{:<{}}] ", "", filled, filled < k_bar ? ">" : "", k_bar - filled);
  }
  text += size_text(part.current);
  if (part.total > 0) text += " / " + size_text(part.total);
  const double seconds = std::chrono::duration<double>(now - part.started).count();
  if (seconds >= k_rate_after) {
    text += fmt::format(" {}/s", size_text(static_cast<std::uint64_t>(static_cast<double>(part.current) / seconds)));
  }
  return fit_columns(text, columns);
}

std::vector<Piece> frame(const BuildShown& build, Window window, Moment now) {
  const std::size_t columns = std::max<std::size_t>(window.columns, 2) - 1;  // the last would fold on some terminals
  std::size_t left = std::max<std::size_t>(window.rows, 2) - 1;              // the cursor has one
  std::vector<Piece> rows = {{Style::plain, header(build, columns, now)}};
  --left;
  const bool all_fit = build.running.size() <= left;
  const auto shown = all_fit ? build.running.size() : left - std::min<std::size_t>(left, 1);
  left -= all_fit ? shown : left;
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& step = *build.running[i];
    rows.push_back({Style::running, step_row(step, columns, now)});
    const auto below = rows_below(step, columns, left, now);
    left -= below.size();
    for (const auto& row : below) rows.push_back({Style::faint, row});
  }
  if (!all_fit && rows.size() + 1 < std::max<std::size_t>(window.rows, 2)) {
    rows.push_back({Style::faint, fit_columns(fmt::format(" +{} more", build.running.size() - shown), columns)});
  }
  return rows;
}

std::size_t folded_rows(const std::vector<std::size_t>& widths, std::size_t columns) {
  std::size_t rows = 0;
  for (const auto width : widths) rows += std::max<std::size_t>(1, (width + columns - 1) / columns);
  return rows;
}

}  // namespace mbuild::cli
