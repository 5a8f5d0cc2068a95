#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "cli/display/terminal.h"

namespace mbuild::cli {

// What the environment says of a display, in BuildKit's variables.
struct DisplayOptions {
  Palette palette;                       // BUILDKIT_COLORS, NO_COLOR
  std::size_t log_lines = 6;             // BUILDKIT_TTY_LOG_LINES: of each step on a terminal
  std::chrono::milliseconds frame{100};  // TTY_DISPLAY_RATE
  std::size_t longest_name = 0;          // PROGRESS_NO_TRUNC=0: of a step, in characters; 0 is no bound
  enum class Log { plain, github, gitlab };
  Log log = Log::plain;  // GITHUB_ACTIONS, GITLAB_CI: what the reader of a plain log folds
};

DisplayOptions::Log log_reader();

// Values that are not understood are left out, with a line on standard error.
DisplayOptions display_options();

// "run=blue:error=255,0,0": names of colours, or red, green and blue. What is not understood is told by `unknown`.
Palette parse_palette(const std::string& text, std::string& unknown);

// True where a display may move the cursor: standard error is a terminal that can, and nobody asked for plain text
// (TERM=dumb, NO_COLOR, CI).
bool is_lively_terminal();

}  // namespace mbuild::cli
