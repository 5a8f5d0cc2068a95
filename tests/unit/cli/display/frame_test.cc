#include "cli/display/frame.h"

#include "cli/display/columns.h"
#include "tests/catch.h"

using namespace mbuild::cli;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const Moment k_start{};

// A build in which so many steps run.
struct Shown {
  std::vector<StepShown> steps;
  BuildShown build;

  explicit Shown(std::size_t running) {
    for (std::size_t i = 0; i < running; ++i) {
      steps.push_back(
          {.name = "[2/3] RUN step " + std::to_string(i), .note = {}, .started = k_start, .lines = {}, .parts = {}});
    }
    build = {
        .started = k_start, .planned = running + 9, .done = 4, .cached = 3, .running = {}, .running_steps = running};
  }

  std::vector<std::string> rows(std::size_t columns, std::size_t rows) {
    build.running.clear();
    for (const auto& step : steps) build.running.push_back(&step);
    std::vector<std::string> out;
    for (const auto& piece : frame(build, {.columns = columns, .rows = rows}, k_start + milliseconds(12300))) {
      out.push_back(piece.text);
    }
    return out;
  }
};

}  // namespace

TEST_CASE("A frame has the counts first, then what runs with its last lines") {
  Shown shown(2);
  shown.steps[0].note = "emulated";
  shown.steps[0].lines = {"one", "two"};
  CHECK(shown.rows(60, 10) == std::vector<std::string>{"[+] Building 12.3s (4/11): 3 cached, 2 running, 5 waiting",
                                                       " => [2/3] RUN step 0                         emulated 12.3s",
                                                       " => => # one", " => => # two",
                                                       " => [2/3] RUN step 1                                  12.3s"});
}

TEST_CASE("Steps come before lines, and what does not fit is counted") {
  Shown shown(30);
  for (auto& step : shown.steps) step.lines = {"line"};
  const auto rows = shown.rows(80, 8);
  REQUIRE(rows.size() == 7);
  CHECK(rows[5].starts_with(" => [2/3] RUN step 4"));
  CHECK(rows[6] == " +25 more");
  const auto many = shown.rows(80, 40);
  CHECK(many.size() == 39);
  CHECK(many[1].starts_with(" => [2/3] RUN step 0"));
  CHECK(many[2] == " => => # line");
}

TEST_CASE("A frame fits every window") {
  Shown shown(12);
  for (auto& step : shown.steps) {
    step.name = "[linux/arm64 日本語 2/3] RUN " + std::string(100, 'x') + "日本語";
    step.note = "emulated";
    step.lines = {std::string(300, 'y'), "日本語日本語日本語日本語日本語日本語"};
    step.parts["a"] = {.name = "sha256:" + std::string(64, 'a'), .current = 5, .total = 10, .started = k_start};
  }
  for (const std::size_t columns : {1, 2, 3, 10, 25, 26, 40, 80, 132, 250}) {
    for (const std::size_t rows : {1, 2, 3, 10, 24, 80}) {
      const auto shown_rows = shown.rows(columns, rows);
      CHECK(shown_rows.size() <= std::max<std::size_t>(rows - 1, 1));
      for (const auto& row : shown_rows) CHECK(columns_of(row) <= std::max<std::size_t>(columns - 1, 1));
    }
  }
}

TEST_CASE("A transfer has a bar where there is room, its bytes and its rate") {
  const PartShown part{.name = "sha256:0123456789abcdef", .current = 1'000'000, .total = 4'000'000, .started = k_start};
  CHECK(part_row(part, 80, k_start + seconds(2)) ==
        " => => sha256:0123456789ab [=====>              ] 1MB / 4MB 500kB/s");
  CHECK(part_row(part, 60, k_start) == " => => sha256:0123456789ab 1MB / 4MB");
  CHECK(part_row({.name = "layer 1", .current = 1000, .total = 0, .started = k_start}, 80, k_start) ==
        " => => layer 1 1kB");
}

TEST_CASE("Rows that a narrower window has folded are counted") {
  CHECK(folded_rows({}, 10) == 0);
  CHECK(folded_rows({0, 5, 10, 11}, 10) == 5);
}
