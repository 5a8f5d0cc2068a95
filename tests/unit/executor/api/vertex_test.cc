#include "executor/api/vertex.h"

#include <stdexcept>
#include <vector>

#include "tests/catch.h"

namespace mbuild::executor::vertex_test {
namespace {

struct Told : ProgressSink {
  std::vector<VertexEvent> events;
  void vertex(const VertexEvent& event) override { events.push_back(event); }
  void log(const LogEvent&) override {}
  void status(const StatusEvent&) override {}
};

VertexEvent about() { return {.id = 7, .name = "a step", .needs = {"another"}}; }

std::vector<VertexState> states(const Told& told) {
  std::vector<VertexState> out;
  for (const auto& event : told.events) out.push_back(event.state);
  return out;
}

using States = std::vector<VertexState>;

}  // namespace

TEST_CASE("A vertex is told of when it begins and when it ends, each once") {
  Told told;
  {
    Vertex vertex(told, about());
    vertex.complete();
    vertex.complete();
    vertex.fail("too late");
  }
  CHECK(states(told) == States{VertexState::started, VertexState::completed});
  for (const auto& event : told.events) {
    CHECK(event.id == 7);
    CHECK(event.name == "a step");
    CHECK(event.needs == std::vector<std::string>{"another"});
    CHECK(event.error.empty());
  }
  CHECK(told.events[0].time <= told.events[1].time);
}

TEST_CASE("A vertex that fails says why") {
  Told told;
  Vertex(told, about()).fail("the disk is full");
  CHECK(states(told) == States{VertexState::started, VertexState::failed});
  CHECK(told.events.back().error == "the disk is full");
}

TEST_CASE("A vertex that an exception ends is cancelled, and one that was moved ends once") {
  Told told;
  try {
    Vertex vertex(told, about());
    const Vertex other = std::move(vertex);
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
  }
  CHECK(states(told) == States{VertexState::started, VertexState::cancelled});
}

}  // namespace mbuild::executor::vertex_test
