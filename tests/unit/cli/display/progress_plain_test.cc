#include "cli/display/progress_plain.h"

#include <unistd.h>

#include <cstdio>
#include <thread>

#include "base/fd.h"
#include "base/strings.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::cli;
using executor::VertexState;
using std::chrono::milliseconds;

namespace {

// What is written to standard error while `work` runs.
template <typename Work>
std::string errors_of(Work work) {
  const Fd file = memory_file(""), before = duplicate(STDERR_FILENO);
  ::dup2(file.get(), STDERR_FILENO);
  work();
  std::fflush(stderr);
  ::dup2(before.get(), STDERR_FILENO);
  ::lseek(file.get(), 0, SEEK_SET);
  return read_all(file.get());
}

// A display that is told of events at times after its start.
struct Display {
  PlainProgress progress;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  void vertex(unsigned id, VertexState state, long after_ms = 0) {
    progress.vertex(
        {.id = id, .state = state, .name = "step " + std::to_string(id), .time = start + milliseconds(after_ms)});
  }
  void log(unsigned id, std::string_view text, int stream = 1, long after_ms = 0) {
    progress.log({.id = id, .stream = stream, .data = text, .time = start + milliseconds(after_ms)});
  }
};

template <typename Work>
std::string shown(Work work) {
  Display display;
  return errors_of([&] { work(display); });
}

}  // namespace

TEST_CASE("A step is shown with its number, its output and its time") {
  CHECK(shown([](Display& d) {
          d.vertex(7, VertexState::started);
          d.log(7, "hello\n", 1, 512);
          d.vertex(7, VertexState::completed, 600);
        }) == "#1 step 7\n#1 0.512 hello\n#1 DONE 0.6s\n");
}

TEST_CASE("Steps are numbered in the order in which they are first seen") {
  CHECK(shown([](Display& d) {
          d.vertex(9, VertexState::cached);
          d.vertex(3, VertexState::cached);
        }) == "#1 step 9\n#1 CACHED\n\n#2 step 3\n#2 CACHED\n");
}

TEST_CASE("A step that goes on after another spoke is named again") {
  CHECK(shown([](Display& d) {
          d.vertex(1, VertexState::started);
          d.vertex(2, VertexState::started);
          d.log(1, "a\n");
          d.log(1, "b\n");
        }) == "#1 step 1\n\n#2 step 2\n\n#1 step 1\n#1 0.000 a\n#1 0.000 b\n");
}

TEST_CASE("Failed and cancelled steps say so") {
  Display display;
  CHECK(errors_of([&] {
          display.vertex(1, VertexState::started);
          display.progress.vertex({.id = 1, .state = VertexState::failed, .name = "step 1", .error = "exit code: 1"});
          display.vertex(2, VertexState::cancelled);
        }) == "#1 step 1\n#1 ERROR: exit code: 1\n\n#2 step 2\n#2 CANCELED\n");
}

TEST_CASE("Others that need a step are told when it starts") {
  Display display;
  CHECK(
      errors_of([&] {
        display.progress.vertex(
            {.id = 1, .state = VertexState::started, .name = "[linux/amd64] RUN x", .needs = {"[linux/arm64] RUN x"}});
      }) == "#1 [linux/amd64] RUN x\n#1 also [linux/arm64] RUN x\n");
}

TEST_CASE("A line that comes in parts is shown once, when it is whole") {
  CHECK(shown([](Display& d) {
          d.vertex(1, VertexState::started);
          d.log(1, "he");
          d.log(1, "llo\nwor");
        }) == "#1 step 1\n#1 0.000 hello\n");
}

TEST_CASE("A last line without an end is shown when the step ends") {
  CHECK(shown([](Display& d) {
          d.vertex(1, VertexState::started);
          d.log(1, "no newline");
          d.vertex(1, VertexState::completed, 100);
        }) == "#1 step 1\n#1 0.100 no newline\n#1 DONE 0.1s\n");
}

TEST_CASE("The parts of lines of two streams are not mixed") {
  CHECK(shown([](Display& d) {
          d.vertex(1, VertexState::started);
          d.log(1, "out ", 1);
          d.log(1, "error ", 2);
          d.log(1, "put\n", 1);
          d.log(1, "text\n", 2);
        }) == "#1 step 1\n#1 0.000 out put\n#1 0.000 error text\n");
}

TEST_CASE("Of a line that was overwritten by carriage returns the last version is shown") {
  CHECK(shown([](Display& d) {
          d.vertex(1, VertexState::started);
          d.log(1, "10%\r50%\r100%\r\n");
        }) == "#1 step 1\n#1 0.000 100%\n");
}

TEST_CASE("A part of a step is shown at its start, now and then, and at its end") {
  Display display;
  const auto status = [&](std::uint64_t current, std::uint64_t total, bool done, long after_ms) {
    display.progress.status({.id = 1,
                             .part = "sha256:12",
                             .current = current,
                             .total = total,
                             .done = done,
                             .ended = done,
                             .time = display.start + milliseconds(after_ms)});
  };
  CHECK(errors_of([&] {
          display.vertex(1, VertexState::started);
          status(1'000, 2'000'000, false, 300);
          status(10'000, 2'000'000, false, 600);
          status(1'500'000, 2'000'000, false, 5'300);
          status(2'000'000, 2'000'000, true, 5'400);
        }) == "#1 step 1\n#1 sha256:12 1kB / 2MB 0.3s\n#1 sha256:12 1.5MB / 2MB 5.3s\n#1 sha256:12 2MB 5.4s done\n");
}

TEST_CASE("Lines of many threads stay whole") {
  const auto text = shown([](Display& d) {
    for (unsigned id = 0; id < 4; ++id) d.vertex(id, VertexState::started);
    std::vector<std::jthread> threads;
    for (unsigned id = 0; id < 4; ++id) {
      threads.emplace_back([&d, id] {
        for (int i = 0; i < 50; ++i) d.log(id, "line of " + std::to_string(id) + "\n");
      });
    }
  });
  std::size_t lines = 0;
  for (const auto& line : split(text, '\n')) {
    if (line.find("line") == std::string::npos) continue;
    ++lines;
    CHECK(line == "#" + std::to_string(line.back() - '0' + 1) + " 0.000 line of " + line.back());
  }
  CHECK(lines == 200);
}

TEST_CASE("What a build says reaches the terminal cleaned, names and errors on one line") {
  CHECK(shown([](Display& d) {
          const std::string name = "RUN \x1b]0;title\ax\n#1 DONE";
          d.progress.vertex({.id = 1, .state = VertexState::started, .name = name, .time = d.start});
          d.log(1, "\x1b[31mred\x1b[0m \xFF\n");
          d.progress.vertex({.id = 1,
                             .state = VertexState::failed,
                             .name = name,
                             .error = "no\xC2\x9B"
                                      "2J",
                             .time = d.start});
        }) ==
        "#1 RUN x #1 DONE\n#1 0.000 red \xEF\xBF\xBD\n#1 ERROR: no\xEF\xBF\xBD"
        "2J\n");
}

TEST_CASE("A line that does not end is shown in parts, cut between characters") {
  std::string line;
  for (int i = 0; i < 10'000; ++i) line += "\xE2\x82\xAC";
  const std::string text = shown([&](Display& d) {
    d.vertex(1, VertexState::started);
    for (std::size_t i = 0; i < line.size(); i += 1000) d.log(1, std::string_view(line).substr(i, 1000));
    d.vertex(1, VertexState::completed);
  });
  std::string whole;
  std::size_t lines = 0;
  for (const auto& part : split(text, '\n')) {
    if (!part.starts_with("#1 0.000 ")) continue;
    whole += part.substr(9);
    ++lines;
  }
  CHECK(whole == line);
  CHECK(lines == 2);
}
