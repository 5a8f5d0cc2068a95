#include "history/record.h"

#include "tests/catch.h"

#include "base/error.h"

namespace mbuild::history {
namespace {

using executor::VertexState;

const Beginning k_beginning{.id = "abc123",
                            .program = "mbuild 1",
                            .started = 1'700'000'000'000'000'000,
                            .command = {"build", "."},
                            .directory = "/src/app",
                            .targets = {{.name = "",
                                         .context = ".",
                                         .dockerfile = "",
                                         .stage = "final",
                                         .platforms = {"linux/arm64"},
                                         .tags = {"app:1"},
                                         .outputs = {"image"},
                                         .audit = "off"}}};

Step step(executor::VertexId id, VertexState state, Time time) {
  Step one{.id = id, .state = state, .name = "RUN true", .planned = true, .line = 3};
  (state == VertexState::started ? one.started : one.ended) = time;
  return one;
}

TEST_CASE("a record is read as it was written", "[history]") {
  End end{.time = 90, .cancelled = false, .failure = Failure{"it broke", "mend it", "FROM x", 1}, .outcomes = {}};
  end.outcomes.push_back({.digest = "sha256:1",
                          .error = "",
                          .names = {"app:1"},
                          .images = {{"linux/arm64", "sha256:2", 10, {{"sha256:3", "RUN true", 9, 3}}}},
                          .warnings = {{"Rule", "beware", 2}},
                          .steps_run = 1,
                          .steps_cached = 2,
                          .emulated_steps = 1,
                          .emulated_programs = 5,
                          .native_programs = 4,
                          .emulated_ms = 7});
  const auto text = to_line(k_beginning) + to_line(step(4, VertexState::started, 10), true) +
                    to_line(LogPiece{4, 2, 20, "a\nb\xff"}) + to_line(Part{4, "sha256:9", 5, 6, 30}) +
                    to_line(step(4, VertexState::completed, 40), false) + left_out_line(77) + to_line(end);
  const auto record = parse_record(text, "r");
  CHECK(record.beginning.id == "abc123");
  CHECK(record.beginning.command == k_beginning.command);
  REQUIRE(record.beginning.targets.size() == 1);
  CHECK(record.beginning.targets[0].audit == "off");
  REQUIRE(record.steps.size() == 1);
  CHECK(record.steps[0].state == VertexState::completed);
  CHECK(record.steps[0].started == 10);
  CHECK(record.steps[0].ended == 40);
  CHECK(record.steps[0].line == 3);
  REQUIRE(record.log.size() == 1);
  CHECK(record.log[0].text == "a\nb\xef\xbf\xbd");  // JSON has no other bytes
  REQUIRE(record.parts.size() == 1);
  CHECK(record.parts[0].total == 6);
  CHECK(record.log_left_out == 77);
  REQUIRE(record.end);
  CHECK(record.end->failure->advice == "mend it");
  REQUIRE(record.end->outcomes.size() == 1);
  CHECK(record.end->outcomes[0].images[0].layers[0].made_by == "RUN true");
  CHECK(record.end->outcomes[0].native_programs == 4);
  CHECK(status_of(record, false) == "failed");
  CHECK(title_of(record) == "app (final)");
  CHECK(count_steps(record).all == 1);
}

TEST_CASE("what a killed build left is a record without an end", "[history]") {
  const auto whole = to_line(k_beginning) + to_line(step(1, VertexState::started, 10), true);
  const auto record = parse_record(whole + to_line(step(1, VertexState::completed, 20), false).substr(0, 15), "r");
  REQUIRE(record.steps.size() == 1);
  CHECK(record.steps[0].state == VertexState::started);
  CHECK(status_of(record, false) == "interrupted");
  CHECK(status_of(record, true) == "running");
}

TEST_CASE("a step that runs again is another row", "[history]") {
  const auto text = to_line(k_beginning) + to_line(step(1, VertexState::cached, 10), true) +
                    to_line(step(1, VertexState::started, 20), true) +
                    to_line(step(1, VertexState::completed, 30), false);
  const auto record = parse_record(text, "r");
  REQUIRE(record.steps.size() == 2);
  CHECK(record.steps[0].state == VertexState::cached);
  CHECK(record.steps[1].state == VertexState::completed);
  CHECK(count_steps(record).cached == 1);
}

TEST_CASE("what is no record is refused by name", "[history]") {
  CHECK_THROWS_WITH(parse_record("", "here.jsonl"), "here.jsonl is no record of a build");
  CHECK_THROWS_AS(parse_record("nonsense\n", "r"), Error);
  CHECK_THROWS_AS(parse_record("[1]\n", "r"), Error);
  CHECK_THROWS_AS(parse_record("{}\n", "r"), Error);
  CHECK_THROWS_AS(parse_record("{\"step\":{}}\n", "r"), Error);
  CHECK_THROWS_WITH(parse_record("{\"build\":{\"version\":99,\"id\":\"a\"}}\n", "r"),
                    "r is of another version of mbuild");
}

TEST_CASE("an outline has the beginning and the end", "[history]") {
  const auto text = to_line(k_beginning) + to_line(step(1, VertexState::started, 10), true) +
                    to_line(End{.time = 5, .cancelled = true, .failure = {}, .outcomes = {}});
  const auto record = parse_outline(text, "r");
  CHECK(record.steps.empty());
  CHECK(status_of(record, false) == "cancelled");
}

}  // namespace
}  // namespace mbuild::history
