#include "worker/output_pump.h"

#include <map>

#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

struct Recorder : StepSink {
  void log(int stream, std::string_view data) override { text[stream] += data; }
  void usage(const ResourceUsage&) override {}
  std::map<int, std::string> text;
};

}  // namespace

TEST_CASE("All that is written to either stream has reached the sink when the pump has finished") {
  Recorder recorder;
  OutputPump pump(recorder);
  const std::string much(1 << 20, 'x');
  write_all(pump.take_stdout().get(), much);
  write_all(pump.take_stderr().get(), "last words");
  pump.finish();
  CHECK(recorder.text[1].size() == much.size());
  CHECK(recorder.text[2] == "last words");
}
