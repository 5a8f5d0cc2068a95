#include "history/recorder.h"

#include <nlohmann/json.hpp>
#include "tests/catch.h"

#include "history/page.h"
#include "history/replay.h"
#include "history/trace.h"

namespace mbuild::history {
namespace {

using executor::LogEvent;
using executor::StatusEvent;
using executor::VertexEvent;
using executor::VertexState;

// Keeps what it is told, as text.
class Heard : public executor::ProgressSink {
 public:
  void vertex(const VertexEvent& event) override {
    words.push_back(event.name + " " + std::to_string(static_cast<int>(event.state)));
  }
  void log(const LogEvent& event) override { words.push_back("log " + std::string(event.data)); }
  void status(const StatusEvent& event) override { words.push_back("part " + event.part); }
  void planned(std::size_t steps) override { words.push_back(std::to_string(steps) + " steps"); }

  std::vector<std::string> words;
};

std::string recorded(Heard& heard) {
  Recorder recorder(heard, memory_file(""), {.id = "a", .program = "", .command = {}, .directory = "", .targets = {}});
  const auto start = std::chrono::steady_clock::now();
  const auto at = [&](int ms) { return start + std::chrono::milliseconds(ms); };
  recorder.planned(2);
  recorder.vertex({.id = 1, .state = VertexState::cached, .name = "FROM x", .time = at(1), .step = true});
  recorder.vertex({.id = 2,
                   .state = VertexState::started,
                   .name = "RUN </script> y",
                   .time = at(2),
                   .platform = "linux/arm64",
                   .emulated = true,
                   .step = true,
                   .inputs = {1}});
  recorder.log({.id = 2, .data = "hello\n", .time = at(3)});
  recorder.status({.id = 2, .part = "half", .time = at(4)});
  recorder.status({.id = 2, .part = "all", .current = 9, .ended = true, .time = at(5)});
  recorder.vertex({.id = 2,
                   .state = VertexState::failed,
                   .name = "RUN </script> y",
                   .error = "no",
                   .time = at(9),
                   .programs = 5,
                   .native = 4,
                   .step = true});
  recorder.end({.time = 0, .cancelled = false, .failure = Failure{"no", "", "", 1}, .outcomes = {}});
  return recorder.text();
}

TEST_CASE("a build is recorded, and told again as it was", "[history]") {
  Heard first, again;
  const auto text = recorded(first);
  CHECK(first.words.size() == 7);
  const auto record = parse_record(text, "r");
  REQUIRE(record.steps.size() == 2);
  CHECK(record.steps[1].error == "no");
  CHECK(record.steps[1].emulated);
  CHECK(record.steps[1].programs == 5);
  CHECK(record.steps[1].native == 4);
  CHECK(record.parts.size() == 1);  // a part that goes on is of no interest later
  replay(record, again);
  CHECK(again.words == std::vector<std::string>{"2 steps", "FROM x 1", "RUN </script> y 0", "log hello\n", "part all",
                                                "RUN </script> y 3"});
}

TEST_CASE("a log that has no end is not kept whole", "[history]") {
  Heard heard;
  Recorder recorder(heard, memory_file(""), {.id = "a", .program = "", .command = {}, .directory = "", .targets = {}});
  const std::string piece(300 << 10, 'x');
  for (int i = 0; i < 5; ++i) recorder.log({.id = 1, .data = piece, .time = std::chrono::steady_clock::now()});
  recorder.end({});
  const auto record = parse_record(recorder.text(), "r");
  std::size_t kept = 0;
  for (const auto& one : record.log) kept += one.text.size();
  CHECK(kept == 1 << 20);
  CHECK(kept + record.log_left_out == 5 * piece.size());
  CHECK(heard.words.size() == 5);
}

TEST_CASE("the trace of a build has its steps in rows", "[history]") {
  Heard heard;
  const auto trace = nlohmann::json::parse(chrome_trace(parse_record(recorded(heard), "r")));
  const auto& events = trace.at("traceEvents");
  const auto run = std::find_if(events.begin(), events.end(), [](const auto& e) { return e["ph"] == "X"; });
  REQUIRE(run != events.end());
  CHECK((*run)["name"] == "RUN </script> y");
  CHECK((*run)["cat"] == "emulated step");
  CHECK((*run)["dur"].get<double>() == Approx(7000));
  CHECK((*run)["args"]["error"] == "no");
}

TEST_CASE("a page holds the record, and nothing in it is markup", "[history]") {
  Heard heard;
  const auto text = recorded(heard);
  const auto page = report_page(text);
  CHECK(page.find("RUN </script> y") == std::string::npos);
  CHECK(page.find("RUN \\u003c/script> y") != std::string::npos);
  CHECK(page.find("@RECORD@") == std::string::npos);
  CHECK(page.find("</html>") != std::string::npos);
}

}  // namespace
}  // namespace mbuild::history
