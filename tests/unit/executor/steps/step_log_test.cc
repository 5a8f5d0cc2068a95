#include "executor/steps/step_log.h"

#include <map>

#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;
using std::chrono::milliseconds;

namespace {

class Recorder : public ProgressSink {
 public:
  void vertex(const VertexEvent&) override {}
  void log(const LogEvent& event) override { text[event.stream] += event.data; }
  void status(const StatusEvent&) override {}

  std::map<int, std::string> text;
};

const LogMeter::Clock::time_point k_start{};

}  // namespace

TEST_CASE("Output is shown up to the bound of a step, with a word where it ends") {
  LogMeter meter({.size = 10, .speed = 0}, k_start);
  CHECK(meter.next("12345", k_start).data == "12345");
  const auto last = meter.next("6789012345", k_start);
  CHECK(last.data == "67890");
  CHECK(last.note == "\n[output clipped, log limit 10B reached]\n");
  const auto more = meter.next("x", k_start + std::chrono::hours(1));
  CHECK(more.data.empty());
  CHECK(more.note.empty());
}

TEST_CASE("Output that is too fast is shown again when time has passed, and the word is said anew") {
  LogMeter meter({.size = 1 << 20, .speed = 1024}, k_start);
  const std::string much(2000, 'x');
  const auto first = meter.next(much, k_start + milliseconds(500));
  CHECK(first.data.size() == 1024);
  CHECK(first.note == "\n[output clipped, log limit 1KiB/s reached]\n");
  CHECK(meter.next(much, k_start + milliseconds(900)).note.empty());
  const auto later = meter.next("later", k_start + milliseconds(1500));
  CHECK(later.data == "later");
  CHECK(later.note.empty());
  CHECK(meter.next(much, k_start + milliseconds(1800)).note == first.note);
}

TEST_CASE("Without bounds all is shown") {
  LogMeter meter({.size = 0, .speed = 0}, k_start);
  const std::string much(5 << 20, 'x');
  CHECK(meter.next(much, k_start).data.size() == much.size());
}

TEST_CASE("The last lines of a step are the last that it wrote, however much was clipped") {
  Recorder recorder;
  StepLog log(1, recorder, {.size = 100, .speed = 0});
  for (int i = 0; i < 20'000; ++i) log.log(1, "line " + std::to_string(i) + "\n");
  const std::string tail = log.tail();
  CHECK(tail.ends_with("line 19998\nline 19999\n"));
  CHECK(recorder.text[1].find("log limit 100B reached") != std::string::npos);
  CHECK(recorder.text[1].size() < 200);
}
