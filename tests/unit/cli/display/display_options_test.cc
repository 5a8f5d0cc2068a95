#include "cli/display/display_options.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild::cli;
using mbuild::testing::ScopedVariable;

TEST_CASE("Colours are those of BuildKit's variable") {
  std::string unknown;
  const auto palette = parse_palette("run=green:error=1,2,3:cancel=Light-Red:warning=default", unknown);
  CHECK(unknown.empty());
  CHECK(palette.finished == "32");
  CHECK(palette.failed == "38;2;1;2;3");
  CHECK(palette.cancelled == "91");
  CHECK(palette.warning == "39");
  for (const char* text : {"run=mauve", "run", "walk=red", "run=1,2", "run=1,2,256", "run=1;2,2,3"}) {
    unknown.clear();
    CHECK(parse_palette(text, unknown).finished == Palette().finished);
    CHECK(unknown == text);
  }
}

TEST_CASE("The environment says how much is shown, and how often") {
  const ScopedVariable lines("BUILDKIT_TTY_LOG_LINES", "3"), rate("TTY_DISPLAY_RATE", "250"),
      truncate("PROGRESS_NO_TRUNC", "0"), colour("NO_COLOR", ""), hub("GITHUB_ACTIONS", ""), lab("GITLAB_CI", "true");
  const auto options = display_options();
  CHECK(options.log_lines == 3);
  CHECK(options.frame.count() == 250);
  CHECK(options.longest_name == 72);
  CHECK(options.palette.finished.empty());
  CHECK(options.log == DisplayOptions::Log::gitlab);
}
