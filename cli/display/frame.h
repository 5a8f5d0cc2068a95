#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "cli/display/terminal.h"

// One picture of a running build, as rows for a terminal: how many steps there are, then those that run with their
// last lines. Pure: what is shown depends on what is given alone.
namespace mbuild::cli {

using Moment = std::chrono::steady_clock::time_point;

struct Window {
  std::size_t columns = 80, rows = 24;
};

struct PartShown {  // of a transfer
  std::string name;
  std::uint64_t current = 0, total = 0;  // bytes; total 0 is unknown
  Moment started;
};

struct StepShown {
  std::string name, note;  // note: "emulated", a platform that the name lacks
  Moment started;
  std::deque<std::string> lines;  // the last of its output
  std::map<std::string, PartShown> parts;
};

struct BuildShown {
  Moment started;
  std::size_t planned = 0, done = 0, cached = 0;  // steps; cached are among the done
  std::vector<const StepShown*> running;          // in the order in which they began
  std::size_t running_steps = 0;                  // of these; the others are phases
};

// Each row fits into the window's columns, and there are fewer than it has rows.
std::vector<Piece> frame(const BuildShown& build, Window window, Moment now);

// "=> left       right", `right` at the window's right edge as far as there is room for both.
std::string spread(std::string_view left, std::string_view right, std::size_t columns);
// "sha256:0123 [====>   ] 1MB / 3MB 0.5MB/s"
std::string part_row(const PartShown& part, std::size_t columns, Moment now);

// How many rows rows of these widths take in a window of so many columns, once it has folded what is too long.
std::size_t folded_rows(const std::vector<std::size_t>& widths, std::size_t columns);

}  // namespace mbuild::cli
