#include "executor/steps/scheduler.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"
#include "executor/sources/cache_import.h"

namespace mbuild::executor {
namespace {

constexpr std::chrono::milliseconds k_try_again{100};

class PlanRun {
 public:
  PlanRun(const planner::Plan& plan, const SchedulerLimits& limits,
          const std::function<StepClass(graph::NodeId)>& class_of,
          const std::function<void(graph::NodeId, std::stop_token)>& step)
      : plan_(plan),
        steps_at_once_(std::max(1U, limits.steps_at_once)),
        class_of_(class_of),
        step_(step),
        inputs_left_(plan.inputs_left),
        unfinished_(plan.order.size()) {
    for (std::size_t i = 0; i < k_step_classes; ++i) queues_[i].limit = std::max(1U, limits.of_class[i]);
    for (const auto id : plan.order) {
      if (inputs_left_[id] == 0) make_ready(id);
    }
  }

  void execute(std::stop_token stop) {
    const std::stop_callback forward(stop, [this] { abandon(nullptr); });
    {
      std::unique_lock lock(mutex_);
      wake(runnable());
      while (working_ > 0) {
        if (short_of_threads_) {
          ended_.wait_for(lock, k_try_again);
          short_of_threads_ = false;
          if (working_ > 0) wake(runnable());
        } else {
          ended_.wait(lock);
        }
      }
    }
    threads_.clear();
    if (failure_) std::rethrow_exception(failure_);
    if (stop.stop_requested()) throw Cancelled();
  }

 private:
  struct Ready {
    std::int64_t remaining_ms;
    graph::NodeId id;
    bool operator<(const Ready& other) const {
      return remaining_ms != other.remaining_ms ? remaining_ms > other.remaining_ms : id < other.id;
    }
  };

  // The steps of one class.
  struct Queue {
    std::set<Ready> ready;
    unsigned running = 0, limit = 1;
    bool may_start() const { return !ready.empty() && running < limit; }
  };

  void make_ready(graph::NodeId id) {
    queues_[static_cast<std::size_t>(class_of_(id))].ready.insert({plan_.remaining_ms[id], id});
  }

  bool is_over() const { return unfinished_ == 0 || draining_ || stopping_.stop_requested(); }

  // How many steps could start now.
  std::size_t runnable() const {
    if (is_over()) return 0;
    std::size_t count = 0;
    for (const auto& queue : queues_) count += std::min<std::size_t>(queue.ready.size(), queue.limit - queue.running);
    return count;
  }

  // Has `count` more threads look for something to do. Threads come into being when there is work for them: a chain of
  // steps is run by one, which goes on with the next step itself.
  void wake(std::size_t count) {
    const auto waiting = std::min(count, idle_);
    for (std::size_t i = 0; i < waiting; ++i) changed_.notify_one();
    for (std::size_t i = waiting; i < count && threads_.size() < steps_at_once_; ++i) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error&) {  // the host allows no more now: those that there are do the work
        if (working_ == 0) throw;
        short_of_threads_ = true;
        ended_.notify_one();
        return;
      }
      ++working_;
    }
  }

  // The one whose head has the longest way to go, of those that may start one. There is one.
  Queue& next() {
    Queue* best = nullptr;
    for (auto& queue : queues_) {
      if (queue.may_start() && (best == nullptr || *queue.ready.begin() < *best->ready.begin())) best = &queue;
    }
    return *best;
  }

  graph::NodeId take(Queue& queue) {
    const auto id = queue.ready.begin()->id;
    queue.ready.erase(queue.ready.begin());
    ++queue.running;
    return id;
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (wait_for_work(lock) && run_one(lock)) {
    }
    --working_;
    ended_.notify_one();
  }

  bool wait_for_work(std::unique_lock<std::mutex>& lock) {
    ++idle_;
    changed_.wait(lock, [this] { return is_over() || runnable() > 0; });
    --idle_;
    return !is_over();
  }

  // False when the step failed.
  bool run_one(std::unique_lock<std::mutex>& lock) {
    Queue& queue = next();
    const auto id = take(queue);
    lock.unlock();
    bool done = false;
    try {
      step_(id, stopping_.get_token());
      done = true;
    } catch (const PromiseBroken&) {
      drain(std::current_exception());
    } catch (...) {
      abandon(std::current_exception());
    }
    lock.lock();
    --queue.running;
    if (!done) return false;
    --unfinished_;
    for (const auto user : plan_.users[id]) {
      if (--inputs_left_[user] == 0) make_ready(user);
    }
    if (is_over()) {
      changed_.notify_all();
    } else if (const auto count = runnable(); count > 1) {
      wake(count - 1);
    }
    return true;
  }

  void drain(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = failure;
    draining_ = true;
    changed_.notify_all();
  }

  void abandon(std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      // What fails is of more interest than what would be looked up again.
      if (failure && (!failure_ || draining_) && !stopping_.stop_requested()) failure_ = failure;
    }
    stopping_.request_stop();
    // The lock makes sure that no thread is between its check and its wait.
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  const planner::Plan& plan_;
  const std::size_t steps_at_once_;
  const std::function<StepClass(graph::NodeId)>& class_of_;
  const std::function<void(graph::NodeId, std::stop_token)>& step_;

  std::mutex mutex_;
  std::condition_variable changed_;  // there is something to do, or no more
  std::condition_variable ended_;    // a thread has ended, or could not be made
  std::vector<std::jthread> threads_;
  std::size_t working_ = 0, idle_ = 0;  // threads that have not ended; those of them that wait
  std::stop_source stopping_;
  std::vector<std::uint32_t> inputs_left_;
  std::size_t unfinished_;
  std::array<Queue, k_step_classes> queues_;
  bool draining_ = false, short_of_threads_ = false;
  std::exception_ptr failure_;
};

}  // namespace

void run_plan(const planner::Plan& plan, const SchedulerLimits& limits,
              const std::function<StepClass(graph::NodeId)>& class_of,
              const std::function<void(graph::NodeId, std::stop_token)>& step, std::stop_token stop) {
  if (stop.stop_requested()) throw Cancelled();
  PlanRun(plan, limits, class_of, step).execute(std::move(stop));
}

}  // namespace mbuild::executor
