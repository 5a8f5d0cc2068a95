#include "executor/steps/scheduler.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"
#include "executor/sources/cache_import.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;
using graph::NodeId;

namespace {

// What ends a wait that would never end if the scheduler were wrong.
constexpr auto k_too_long = std::chrono::seconds(20);

// A plan of nodes 0, 1, ... that read the nodes given.
planner::Plan make_plan(const std::vector<std::vector<NodeId>>& inputs, std::vector<std::int64_t> remaining_ms = {}) {
  planner::Plan plan;
  plan.order.resize(inputs.size());
  std::iota(plan.order.begin(), plan.order.end(), 0U);
  plan.users.resize(inputs.size());
  remaining_ms.resize(inputs.size(), 10);
  plan.remaining_ms = std::move(remaining_ms);
  for (NodeId id = 0; id < inputs.size(); ++id) {
    plan.inputs_left.push_back(static_cast<std::uint32_t>(inputs[id].size()));
    for (const auto input : inputs[id]) plan.users[input].push_back(id);
  }
  return plan;
}

planner::Plan independent(std::size_t count) { return make_plan(std::vector<std::vector<NodeId>>(count)); }

StepClass never(NodeId) { return StepClass::native; }
StepClass always(NodeId) { return StepClass::emulated; }

// Steps that wait until so many of them are inside at once.
class Meeting {
 public:
  explicit Meeting(int wanted) : wanted_(wanted) {}
  bool arrive() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    return changed_.wait_for(lock, k_too_long, [this] { return arrived_ >= wanted_; });
  }

 private:
  const int wanted_;
  int arrived_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

// True when stop was requested before it became too long.
bool wait_for_stop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, k_too_long, [] { return false; });
  return stop.stop_requested();
}

// The largest number of steps that are inside at once.
class Crowd {
 public:
  class Visit {
   public:
    explicit Visit(Crowd& crowd) : crowd_(crowd) {
      const int inside = ++crowd_.inside_;
      int most = crowd_.most_;
      while (inside > most && !crowd_.most_.compare_exchange_weak(most, inside)) {
      }
      std::this_thread::yield();
    }
    ~Visit() { --crowd_.inside_; }

   private:
    Crowd& crowd_;
  };
  int most() const { return most_; }

 private:
  std::atomic<int> inside_ = 0, most_ = 0;
};

// The order in which one thread runs a plan.
std::vector<NodeId> order_of(const planner::Plan& plan, const std::function<StepClass(NodeId)>& class_of = never) {
  std::vector<NodeId> order;
  run_plan(plan, {.steps_at_once = 1, .of_class = {~0U, 1, ~0U, ~0U}}, class_of,
           [&](NodeId id, std::stop_token) { order.push_back(id); }, {});
  return order;
}

}  // namespace

TEST_CASE("The step with the longest way to go starts first, then the earlier one") {
  CHECK(order_of(make_plan({{}, {}, {}, {}}, {5, 30, 5, 20})) == std::vector<NodeId>{1, 3, 0, 2});
}

TEST_CASE("Emulated and native steps are started in one order") {
  const auto odd_emulated = [](NodeId id) { return id % 2 == 1 ? StepClass::emulated : StepClass::native; };
  CHECK(order_of(make_plan({{}, {}, {}, {}}, {1, 2, 3, 4}), odd_emulated) == std::vector<NodeId>{3, 2, 1, 0});
}

TEST_CASE("A step that became ready goes before those with a shorter way") {
  CHECK(order_of(make_plan({{}, {0}, {}}, {30, 20, 10})) == std::vector<NodeId>{0, 1, 2});
}

TEST_CASE("Every step runs once, after all its inputs") {
  const std::vector<std::vector<NodeId>> inputs = {{}, {0}, {0}, {1, 2}, {}, {3, 4}, {0, 5}, {2}};
  std::mutex mutex;
  std::set<NodeId> done;
  bool inputs_first = true, once = true;
  run_plan(make_plan(inputs), {.steps_at_once = 4, .of_class = {~0U, 4, ~0U, ~0U}}, never,
           [&](NodeId id, std::stop_token) {
             const std::lock_guard lock(mutex);
             for (const auto input : inputs[id]) inputs_first = inputs_first && done.contains(input);
             once = done.insert(id).second && once;
           },
           {});
  CHECK(inputs_first);
  CHECK(once);
  CHECK(done.size() == inputs.size());
}

TEST_CASE("Steps that do not depend on each other run at once") {
  Meeting meeting(3);
  std::atomic<int> met = 0;
  run_plan(independent(3), {.steps_at_once = 3, .of_class = {~0U, 3, ~0U, ~0U}}, never,
           [&](NodeId, std::stop_token) { met += meeting.arrive() ? 1 : 0; }, {});
  CHECK(met == 3);
}

TEST_CASE("No more steps run at once than are asked for") {
  Crowd crowd;
  run_plan(independent(30), {.steps_at_once = 2, .of_class = {~0U, 2, ~0U, ~0U}}, never,
           [&](NodeId, std::stop_token) { const Crowd::Visit visit(crowd); }, {});
  CHECK(crowd.most() <= 2);
}

TEST_CASE("No more emulated steps run at once than their limit") {
  Crowd crowd;
  run_plan(independent(30), {.steps_at_once = 4, .of_class = {~0U, 1, ~0U, ~0U}}, always,
           [&](NodeId, std::stop_token) { const Crowd::Visit visit(crowd); }, {});
  CHECK(crowd.most() == 1);
}

TEST_CASE("What another worker runs has a limit of its own, and takes no turn of what runs here") {
  // Even nodes run elsewhere. One at a time of each class: one of each must meet.
  Crowd here, there;
  run_plan(
      independent(20), {.steps_at_once = 4, .of_class = {1, 1, 1, 1}},
      [](NodeId id) { return id % 2 == 0 ? StepClass::remote_native : StepClass::native; },
      [&](NodeId id, std::stop_token) { const Crowd::Visit visit(id % 2 == 0 ? there : here); }, {});
  CHECK(here.most() == 1);
  CHECK(there.most() == 1);
  Meeting meeting(2);
  std::atomic<bool> met = true;
  run_plan(
      independent(2), {.steps_at_once = 2, .of_class = {1, 1, 1, 1}},
      [](NodeId id) { return id == 0 ? StepClass::remote_native : StepClass::native; },
      [&](NodeId, std::stop_token) { met = meeting.arrive() && met; }, {});
  CHECK(met);
}

TEST_CASE("Emulated steps that wait for their turn do not hold up native ones") {
  // Nodes 0 and 1 are emulated and have the longest way; the native node 2 must start beside the first of them.
  Meeting meeting(2);
  std::atomic<bool> met = true;
  run_plan(
      make_plan({{}, {}, {}}, {30, 20, 10}), {.steps_at_once = 2, .of_class = {~0U, 1, ~0U, ~0U}},
      [](NodeId id) { return id < 2 ? StepClass::emulated : StepClass::native; },
      [&](NodeId id, std::stop_token) {
        if (id != 1) met = meeting.arrive() && met;
      },
      {});
  CHECK(met);
}

TEST_CASE("The first failure stops the others, and is the one that is thrown") {
  Meeting both_run(2);
  std::atomic<bool> stopped = false;
  const auto step = [&](NodeId id, const std::stop_token& stop) {
    both_run.arrive();
    if (id == 0) throw std::runtime_error("first");
    stopped = wait_for_stop(stop);
    throw std::runtime_error("second");
  };
  CHECK_THROWS_WITH(run_plan(independent(2), {.steps_at_once = 2, .of_class = {~0U, 2, ~0U, ~0U}}, never, step, {}),
                    "first");
  CHECK(stopped);
}

TEST_CASE("A failure is thrown only when the steps that run have ended") {
  Meeting both_run(2);
  std::atomic<bool> ended = false;
  const auto step = [&](NodeId id, const std::stop_token& stop) {
    both_run.arrive();
    if (id == 0) throw std::runtime_error("failed");
    wait_for_stop(stop);
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    ended = true;
  };
  CHECK_THROWS_AS(run_plan(independent(2), {.steps_at_once = 2, .of_class = {~0U, 2, ~0U, ~0U}}, never, step, {}),
                  std::runtime_error);
  CHECK(ended);
}

TEST_CASE("After a failure nothing more is started") {
  std::vector<NodeId> started;
  const auto step = [&](NodeId id, std::stop_token) {
    started.push_back(id);
    if (id == 1) throw std::runtime_error("failed");
  };
  const auto plan = make_plan({{}, {}, {1}, {}}, {40, 30, 20, 10});
  CHECK_THROWS_AS(run_plan(plan, {.steps_at_once = 1, .of_class = {~0U, 1, ~0U, ~0U}}, never, step, {}),
                  std::runtime_error);
  CHECK(started == std::vector<NodeId>{0, 1});
}

TEST_CASE("A failure of an emulated step ends the build although others wait for their turn") {
  std::atomic<int> started = 0;
  const auto step = [&](NodeId, std::stop_token) {
    ++started;
    throw std::runtime_error("failed");
  };
  CHECK_THROWS_AS(run_plan(independent(5), {.steps_at_once = 4, .of_class = {~0U, 1, ~0U, ~0U}}, always, step, {}),
                  std::runtime_error);
  CHECK(started == 1);
}

TEST_CASE("A stop from outside reaches the steps that run and ends in Cancelled") {
  std::stop_source outside;
  std::atomic<int> started = 0, stopped = 0;
  const auto step = [&](NodeId, const std::stop_token& stop) {
    if (++started == 2) outside.request_stop();
    stopped += wait_for_stop(stop) ? 1 : 0;
    throw Cancelled();
  };
  CHECK_THROWS_AS(
      run_plan(independent(5), {.steps_at_once = 2, .of_class = {~0U, 2, ~0U, ~0U}}, never, step, outside.get_token()),
      Cancelled);
  CHECK(started == 2);
  CHECK(stopped == 2);
}

TEST_CASE("What a step throws because of a stop from outside is not the build's failure") {
  std::stop_source outside;
  const auto step = [&](NodeId, std::stop_token) {
    outside.request_stop();
    throw std::runtime_error("killed");
  };
  CHECK_THROWS_AS(run_plan(independent(1), {}, never, step, outside.get_token()), Cancelled);
}

TEST_CASE("A build that is cancelled before it begins runs nothing") {
  std::stop_source outside;
  outside.request_stop();
  bool ran = false;
  const auto step = [&](NodeId, std::stop_token) { ran = true; };
  CHECK_THROWS_AS(run_plan(independent(1), {}, never, step, outside.get_token()), Cancelled);
  CHECK_FALSE(ran);
}

TEST_CASE("A plan without steps is done at once") {
  CHECK_NOTHROW(run_plan(independent(0), {}, never, [](NodeId, std::stop_token) {}, {}));
}

TEST_CASE("Limits of none still run a step at a time") {
  std::atomic<int> ran = 0;
  run_plan(
      independent(3), {.steps_at_once = 0, .of_class = {~0U, 0, ~0U, ~0U}},
      [](NodeId id) { return id == 1 ? StepClass::emulated : StepClass::native; },
      [&](NodeId, std::stop_token) { ++ran; }, {});
  CHECK(ran == 3);
}

TEST_CASE("A broken promise lets running steps end, starts no others, and gives way to a failure") {
  // 0 breaks a promise while 1 runs; 2 needs 1.
  for (const bool fails : {false, true}) {
    Meeting both(2);
    std::atomic<bool> ended = false, third = false, stopped = false;
    const auto run = [&] {
      run_plan(make_plan({{}, {}, {1}}), {.steps_at_once = 4, .of_class = {~0U, 1, ~0U, ~0U}}, never,
               [&](NodeId id, std::stop_token stop) {
                 if (id == 2) third = true;
                 if (id < 2) both.arrive();
                 if (id == 0) throw PromiseBroken{"sha256:x"};
                 if (id != 1) return;
                 std::this_thread::sleep_for(std::chrono::milliseconds(20));
                 stopped = stop.stop_requested();
                 ended = true;
                 if (fails) throw Error(ExitClass::step_failed, "failed meanwhile");
               },
               {});
    };
    if (fails) {
      CHECK_THROWS_AS(run(), Error);
    } else {
      CHECK_THROWS_AS(run(), PromiseBroken);
    }
    CHECK(ended);
    CHECK_FALSE(stopped);
    CHECK_FALSE(third);
  }
}

TEST_CASE("A thread that can't be made is tried again") {
  // A stack that no address space has room for.
  const auto set_stack = [](std::size_t size) {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, size);
    ::pthread_setattr_default_np(&attributes);
    ::pthread_attr_destroy(&attributes);
  };
  pthread_attr_t usual;
  std::size_t usual_size = 0;
  REQUIRE(::pthread_getattr_default_np(&usual) == 0);
  REQUIRE(::pthread_attr_getstacksize(&usual, &usual_size) == 0);
  ::pthread_attr_destroy(&usual);

  const auto plan = make_plan({{}, {0}, {0}});
  Meeting both(2);
  std::atomic<int> met = 0;
  run_plan(plan, {.steps_at_once = 4, .of_class = {~0U, 4, ~0U, ~0U}}, never,
           [&](NodeId id, std::stop_token) {
             set_stack(id == 0 ? std::size_t{1} << 50 : usual_size);
             if (id != 0 && both.arrive()) ++met;
           },
           {});
  CHECK(met == 2);
}
