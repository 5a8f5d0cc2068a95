#include "executor/sources/transfer_log.h"

#include <stdexcept>
#include <thread>

#include "base/digest.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;
using remote::Transfer;

namespace {

// What a display is told, as text.
struct Told : ProgressSink {
  std::vector<std::string> lines;
  void vertex(const VertexEvent& event) override {
    lines.push_back(event.name + (event.state == VertexState::started     ? " begins"
                                  : event.state == VertexState::completed ? " ends"
                                                                          : " fails"));
  }
  void log(const LogEvent&) override {}
  void status(const StatusEvent& event) override {
    lines.push_back(event.part + " " + std::to_string(event.current) + "/" + std::to_string(event.total) +
                    (event.done    ? " done"
                     : event.ended ? " given up"
                                   : ""));
  }
};

Transfer transfer(std::uint64_t id, std::string digest, std::uint64_t current, Transfer::State state) {
  return {.id = id,
          .repository = "host/app",
          .upload = id < 9,
          .digest = digest,
          .current = current,
          .total = 9,
          .state = state};
}

using Lines = std::vector<std::string>;

TEST_CASE("Transfers of one repository are one vertex, that ends with the last of them") {
  Told told;
  TransferLog log(told);
  log(transfer(1, "a", 1, Transfer::State::under_way));
  log(transfer(2, "b", 2, Transfer::State::under_way));
  log(transfer(1, "a", 9, Transfer::State::done));
  log(transfer(2, "b", 9, Transfer::State::done));
  log(transfer(3, "", 3, Transfer::State::under_way));
  log(transfer(3, "", 4, Transfer::State::failed));
  CHECK(told.lines == Lines{"push to host/app begins", "a 1/9", "b 2/9", "a 9/9 done", "b 9/9 done",
                            "push to host/app ends", "push to host/app begins", "layer 1 3/9", "layer 1 4/9 given up",
                            "push to host/app ends"});
}

TEST_CASE("A transfer that breaks off is not said to be complete") {
  Told told;
  TransferLog log(told);
  log(transfer(9, "a", 1, Transfer::State::under_way));
  log(transfer(9, "a", 2, Transfer::State::failed));
  CHECK(told.lines == Lines{"pull from host/app begins", "a 1/9", "a 2/9 given up", "pull from host/app fails"});
  told.lines.clear();
  log(transfer(2, "b", 1, Transfer::State::under_way));
  log(transfer(2, "b", 2, Transfer::State::failed));
  CHECK(told.lines.back() == "push to host/app fails");
}

TEST_CASE("A layer whose digest is not known yet has a number, and keeps it") {
  Told told;
  TransferLog log(told);
  log(transfer(1, "", 1, Transfer::State::under_way));
  log(transfer(2, "", 1, Transfer::State::under_way));
  log(transfer(1, "sha256:x", 9, Transfer::State::done));
  CHECK(told.lines == Lines{"push to host/app begins", "layer 1 1/9", "layer 2 1/9", "layer 1 9/9 done"});
}

TEST_CASE("A transfer goes on when nobody can be told of it") {
  const remote::TransferListener listener = [](const Transfer&) { throw std::runtime_error("no space"); };
  remote::TransferMeter meter(listener, {.total = 2});
  meter.advance(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(310));
  CHECK_NOTHROW(meter.advance(1));
}

TEST_CASE("Of a short transfer nothing is told, of a long one its end as well") {
  std::vector<Transfer> told;
  const remote::TransferListener listener = [&](const Transfer& transfer) { told.push_back(transfer); };
  {
    remote::TransferMeter meter(listener, {.total = 2});
    meter.advance(2);
    meter.done("d");
  }
  CHECK(told.empty());
  for (const bool complete : {true, false}) {
    told.clear();
    remote::TransferMeter meter(listener, {.total = 2});
    meter.advance(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(310));
    meter.restart();
    meter.advance(1);
    REQUIRE(told.size() == 1);
    CHECK(told[0].current == 1);
    if (!complete) continue;
    meter.done("d");
    REQUIRE(told.size() == 2);
    CHECK(told[1].digest == "d");
    CHECK(told[1].state == Transfer::State::done);
  }
  REQUIRE(told.size() == 2);
  CHECK(told[1].state == Transfer::State::failed);
}

}  // namespace
