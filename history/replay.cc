#include "history/replay.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <tuple>

namespace mbuild::history {
namespace {

using executor::VertexEvent;
using executor::VertexState;

enum class Order { start, status, log, end };  // of what has the same time

class Replay {
 public:
  Replay(const Record& record, executor::ProgressSink& sink) : record_(record), sink_(sink) {
    for (const auto& step : record.steps) add(step);
    for (const auto& piece : record.log) {
      at(piece.time, Order::log,
         [&](auto time) { sink_.log({.id = piece.step, .stream = piece.stream, .data = piece.text, .time = time}); });
    }
    for (const auto& part : record.parts) {
      at(part.time, Order::status, [&](auto time) {
        sink_.status({.id = part.step,
                      .part = part.name,
                      .current = part.bytes,
                      .total = part.total,
                      .done = true,
                      .ended = true,
                      .time = time});
      });
    }
  }

  void run() {
    sink_.planned(count_steps(record_).all);
    std::ranges::stable_sort(events_, {}, [](const auto& event) { return std::tie(event.time, event.order); });
    for (const auto& event : events_) event.tell(start_ + std::chrono::nanoseconds(event.time));
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Event {
    Time time;
    Order order;
    std::function<void(Clock::time_point)> tell;
  };

  void at(Time time, Order order, std::function<void(Clock::time_point)> tell) {
    events_.push_back({time, order, std::move(tell)});
  }

  void add(const Step& step) {
    VertexEvent event{.id = step.id,
                      .name = step.name,
                      .needs = step.needs,
                      .platform = step.platform,
                      .emulated = step.emulated,
                      .programs = step.programs,
                      .native = step.native,
                      .step = step.planned,
                      .inputs = step.inputs,
                      .line = step.line};
    const auto tell = [this, event](VertexState state, const std::string& error) {
      return [this, event, state, error](Clock::time_point time) {
        auto told = event;
        told.state = state;
        told.error = error;
        told.time = time;
        sink_.vertex(told);
      };
    };
    if (step.state != VertexState::cached) at(step.started, Order::start, tell(VertexState::started, ""));
    if (step.state != VertexState::started) at(step.ended, Order::end, tell(step.state, step.error));
  }

  const Record& record_;
  executor::ProgressSink& sink_;
  const Clock::time_point start_ = Clock::now();
  std::vector<Event> events_;
};

}  // namespace

void replay(const Record& record, executor::ProgressSink& sink) { Replay(record, sink).run(); }

}  // namespace mbuild::history
